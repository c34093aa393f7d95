"""A bucket for files of ours: what the contract does not say, and how the configuration opens a place."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from makegood_adapters.blobs import open_blobs
from makegood_adapters.config import ConfigurationError, load_config
from makegood_adapters.folder import FolderBlobs, FolderError
from makegood_adapters.s3 import S3Blobs, S3Error
from tests.s3_server import KEYS, Bucket, a_bucket


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with a_bucket() as made:
        yield made


@asynccontextmanager
async def a_site(status: int, code: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Yield the address of an S3 that answers every call with this, and the methods of the calls."""
    calls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        calls.append(request.method)
        return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", calls
    finally:
        await runner.cleanup()


def sizes(bucket: Bucket) -> dict[str, int]:
    listed = bucket.client.list_objects_v2(Bucket=bucket.name)["Contents"]
    return {each["Key"]: each["Size"] for each in listed}


async def test_a_file_that_the_bucket_has_is_not_sent_again(bucket: Bucket) -> None:
    blobs = bucket.blobs()
    key = await blobs.put(b"first", "a.txt")
    await asyncio.to_thread(bucket.client.put_object, Bucket=bucket.name, Key=key, Body=b"left alone")
    assert await blobs.put(b"first", "a.txt") == key
    assert await blobs.get(key) == b"left alone"


async def test_a_large_file_is_sent_in_parts_and_leaves_nothing_on_this_machine(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(230):
            yield bytes([number]) * 100_000
            assert list(tmp_path.iterdir()) == []  # without a name: a killed process leaves nothing

    key = await bucket.blobs("films").put(pieces(), "a.mp4")
    assert await asyncio.to_thread(sizes, bucket) == {f"films/{key}": 23_000_000}
    head = await asyncio.to_thread(bucket.client.head_object, Bucket=bucket.name, Key=f"films/{key}")
    assert head["ETag"].strip('"').endswith("-5")  # five parts


async def test_a_bucket_that_is_there_is_found_good(bucket: Bucket) -> None:
    await bucket.blobs("a/b/").prepare()
    await bucket.blobs("a/b/").prepare()
    [name] = await asyncio.to_thread(bucket.names)
    assert name.startswith("a/b/")
    assert name.endswith(".txt")


async def test_a_missing_bucket_is_told(bucket: Bucket) -> None:
    blobs = S3Blobs("nowhere", endpoint=bucket.endpoint, **KEYS)
    told = rf"There is no bucket 'nowhere' at {bucket.endpoint}. Make it, or change"
    for work in (blobs.prepare(), blobs.put(b"x", "a.txt"), blobs.get("0" * 64 + ".png")):
        with pytest.raises(S3Error, match=told):
            await work


@pytest.mark.parametrize(
    ("status", "code"), [(403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"), (401, "Unauthorized")]
)
async def test_a_key_that_is_refused_is_told(status: int, code: str) -> None:
    async with a_site(status, code) as (endpoint, _):
        with pytest.raises(S3Error, match="refuses our key: it must be right, and may put and get objects"):
            await S3Blobs("studio", endpoint=endpoint, **KEYS).prepare()


async def test_a_server_that_is_in_trouble_is_asked_a_few_times_and_then_told() -> None:
    async with a_site(503, "SlowDown") as (endpoint, calls):
        with pytest.raises(S3Error, match=f"The bucket 'studio' at {endpoint} cannot be used: ") as told:
            await S3Blobs("studio", endpoint=endpoint, **KEYS).put(b"x", "a.txt")
        assert 1 < len(calls) <= 8
    assert "Debug" not in str(told.value)
    assert "\n" not in str(told.value)
    assert KEYS["secret_access_key"] not in str(told.value)


async def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(S3Error, match=r"at http://127\.0\.0\.1:1 cannot be used"):
        await S3Blobs("studio", endpoint="http://127.0.0.1:1", **KEYS).prepare()


def config_at(folder: Path, text: str) -> Path:
    path = folder / "makegood.toml"
    path.write_text(f'database_url = "postgresql://nobody@localhost/none"\n{text}')
    return path


class TestConfiguration:
    async def test_a_folder_is_opened_and_tried(self, tmp_path: Path) -> None:
        place = tmp_path / "files"
        assert isinstance(
            await open_blobs(load_config(config_at(tmp_path, f'blobs = "{place}"'))), FolderBlobs
        )
        assert place.is_dir()

    async def test_a_folder_that_cannot_be_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        config = load_config(config_at(tmp_path, f'blobs = "{tmp_path}/file/inside"'))
        with pytest.raises(FolderError, match=r"Files cannot be kept in .*: Not a directory"):
            await open_blobs(config)

    async def test_a_bucket_is_opened_with_the_keys_of_the_environment(
        self, tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MAKEGOOD_S3__ACCESS_KEY_ID", KEYS["access_key_id"])
        monkeypatch.setenv("MAKEGOOD_S3__SECRET_ACCESS_KEY", KEYS["secret_access_key"])
        path = config_at(
            tmp_path, f'blobs = "s3://{bucket.name}/some/where"\n[s3]\nendpoint = "{bucket.endpoint}"'
        )
        blobs = await open_blobs(load_config(path))
        key = await blobs.put(b"x", "a.txt")
        assert await blobs.get(key) == b"x"
        assert f"some/where/{key}" in await asyncio.to_thread(bucket.names)

    async def test_a_bucket_that_is_missing_ends_the_start_in_a_sentence(
        self, tmp_path: Path, bucket: Bucket
    ) -> None:
        text = f'blobs = "s3://nowhere"\n[s3]\nendpoint = "{bucket.endpoint}"\n'
        keys = "".join(f'{name} = "{value}"\n' for name, value in KEYS.items())
        with pytest.raises(S3Error, match="There is no bucket 'nowhere'"):
            await open_blobs(load_config(config_at(tmp_path, text + keys)))

    async def test_a_bucket_without_the_library_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "makegood_adapters.s3")
        monkeypatch.setitem(sys.modules, "obstore", None)
        config = load_config(config_at(tmp_path, 'blobs = "s3://studio"'))
        with pytest.raises(ConfigurationError, match=r"needs the extra s3: pip install 'makegood\[s3\]'"):
            await open_blobs(config)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (
                'blobs = "gs://studio"',
                "blobs: it is neither a folder nor a bucket like s3://bucket",
            ),
            ('blobs = "s3://"', "blobs: it is neither a folder nor a bucket"),
            ('blobs = "s3:///prefix"', "neither a folder nor a bucket"),
            ('blobs = "s3://With Space/x"', "neither a folder nor a bucket"),
            ('blobs = ""', "blobs: name a folder or a bucket"),
            ('[s3]\naccess_key_id = "a"', "s3: access_key_id and secret_access_key belong together"),
            (
                '[s3]\nendpoint = "storage.example.org"',
                "s3: endpoint must begin with http",
            ),
            ('[s3]\nbucket = "studio"', "s3.bucket: there is no such key"),
        ],
    )
    def test_what_is_no_place_is_told(self, tmp_path: Path, text: str, told: str) -> None:
        with pytest.raises(ConfigurationError) as error:
            load_config(config_at(tmp_path, text))
        assert told in str(error.value)
