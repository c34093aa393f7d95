"""The store in dicts: for tests, examples and simulations; everything is gone when the process ends."""

from makegood_adapters.memory.store import MemoryStore

__all__ = ["MemoryStore"]
