"""The folder, the bucket and the memory keep the contract of files of ours."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from makegood.ports import Blobs
from makegood.testing.contract import BlobsContract
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.memory import MemoryBlobs
from tests.s3_server import Bucket, a_bucket


class TestMemory(BlobsContract):
    @pytest.fixture
    def blobs(self) -> Blobs:
        return MemoryBlobs()

    async def kept(self, blobs: Blobs) -> list[str]:
        assert isinstance(blobs, MemoryBlobs)
        return sorted(blobs._files)


class TestFolder(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        return FolderBlobs(tmp_path / "files")

    async def kept(self, blobs: Blobs) -> list[str]:
        assert isinstance(blobs, FolderBlobs)
        return sorted(path.name for path in blobs._root.iterdir())


class TestBucket(BlobsContract):
    bucket: Bucket

    @pytest.fixture
    def blobs(self) -> Iterator[Blobs]:
        with a_bucket() as self.bucket:
            yield self.bucket.blobs("some/where")

    async def kept(self, blobs: Blobs) -> list[str]:
        names = await asyncio.to_thread(self.bucket.names)
        assert all(name.startswith("some/where/") for name in names)
        return [name.removeprefix("some/where/") for name in names]
