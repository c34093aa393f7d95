"""Files of ours, with how long they take and how large they are."""

import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import aclosing, contextmanager

from makegood.ports import Blobs
from makegood_adapters.telemetry.engine import EngineMetrics


class MeasuredBlobs:
    """Another place for files, whose work is measured; it changes nothing of it."""

    def __init__(self, blobs: Blobs, metrics: EngineMetrics) -> None:
        self._blobs, self._metrics = blobs, metrics

    async def put(self, content: bytes | AsyncIterable[bytes], name: str) -> str:
        """See `Blobs.put`."""
        with self._measured("put"):
            if isinstance(content, bytes):
                self._count("put", len(content))
                return await self._blobs.put(content, name)
            return await self._blobs.put(self._counted(content), name)

    async def get(self, key: str) -> bytes | None:
        """See `Blobs.get`."""
        with self._measured("get"):
            found = await self._blobs.get(key)
            self._count("get", len(found or b""))
            return found

    async def size(self, key: str) -> int | None:
        """See `Blobs.size`."""
        with self._measured("size"):
            return await self._blobs.size(key)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """See `Blobs.read`."""
        with self._measured("read"):
            async with aclosing(self._blobs.read(key, start, end)) as pieces:
                async for piece in pieces:
                    self._count("read", len(piece))
                    yield piece

    async def _counted(self, content: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
        async for piece in content:
            self._count("put", len(piece))
            yield piece

    def _count(self, operation: str, size: int) -> None:
        self._metrics.blob_bytes.labels(operation).inc(size)

    @contextmanager
    def _measured(self, operation: str) -> Iterator[None]:
        began, outcome = time.perf_counter(), "failed"
        try:
            yield
            outcome = "ok"
        except GeneratorExit:
            outcome = "ok"  # nobody wanted the rest
            raise
        finally:
            self._metrics.blob_seconds.labels(operation, outcome).observe(time.perf_counter() - began)
