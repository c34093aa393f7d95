"""A real S3 server on loopback, with a bucket for each test."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any, TypedDict

import boto3  # type: ignore[import-untyped]  # it comes with the server, for this file alone
from moto.server import ThreadedMotoServer

from makegood_adapters.s3 import S3Blobs


class Keys(TypedDict):
    """What any client shows; the server takes every key."""

    access_key_id: str
    secret_access_key: str


KEYS = Keys(access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key="made-up")
_numbers = count(1)


@dataclass(frozen=True)
class Bucket:
    """A bucket, how to reach it, and what is in it by another client than ours."""

    name: str
    endpoint: str
    client: Any

    def blobs(self, prefix: str = "") -> S3Blobs:
        """Return the bucket as a place for files of ours."""
        return S3Blobs(self.name, prefix=prefix, endpoint=self.endpoint, tries_seconds=5, **KEYS)

    @property
    def environment(self) -> dict[str, str]:
        """What a program of its own needs to reach it."""
        return {
            "S3_BUCKET": self.name,
            "S3_ENDPOINT": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEYS["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": KEYS["secret_access_key"],
        }

    def names(self) -> list[str]:
        """Return the keys of all objects, and those of uploads that have begun and not ended."""
        objects = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        begun = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return sorted(each["Key"] for each in (*objects, *begun))


@cache
def _server() -> str:
    """Start the server of this process, which ends with it, and return its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def s3_client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["access_key_id"],
        aws_secret_access_key=KEYS["secret_access_key"],
    )


@contextmanager
def a_bucket() -> Iterator[Bucket]:
    """Yield a new bucket, empty."""
    endpoint = _server()
    client, name = s3_client(endpoint), f"makegood-{next(_numbers)}"
    client.create_bucket(Bucket=name)
    try:
        yield Bucket(name, endpoint, client)
    finally:
        client.close()
