"""The store and the files in dicts: for tests, examples and simulations, gone when the process ends."""

from makegood_adapters.memory.blobs import MemoryBlobs
from makegood_adapters.memory.store import MemoryStore

__all__ = ["MemoryBlobs", "MemoryStore"]
