"""Files of ours in a dict, each named by the SHA-256 of its content."""

import hashlib
from pathlib import PurePath


class MemoryBlobs:
    """The port `Blobs`."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    async def put(self, data: bytes, name: str) -> str:
        """Keep *data* and return its key; *name* only lends its extension."""
        extension = PurePath(name).suffix.lower() or ".bin"
        key = f"{hashlib.sha256(data).hexdigest()}{extension}"
        self._files[key] = data
        return key

    async def get(self, key: str) -> bytes | None:
        """Return the content, None if there is no such file."""
        return self._files.get(key)
