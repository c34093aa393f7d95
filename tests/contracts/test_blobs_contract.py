"""The folder, the bucket and the memory keep the contract of files of ours."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from makegood.ports import Blobs
from makegood.testing.contract import BlobsContract
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.s3 import S3Blobs
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
    @pytest.fixture
    def bucket(self) -> Iterator[Bucket]:
        with a_bucket() as made:
            yield made

    @pytest.fixture
    def blobs(self, bucket: Bucket) -> Blobs:
        self.bucket = bucket
        return S3Blobs(bucket.name, prefix="some/where", **bucket.access)

    async def kept(self, blobs: Blobs) -> list[str]:
        names = await asyncio.to_thread(self.bucket.names)
        assert all(name.startswith("some/where/") for name in names)
        return [name.removeprefix("some/where/") for name in names]
