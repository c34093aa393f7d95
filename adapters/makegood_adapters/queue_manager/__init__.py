"""The wire of an existing front-end and its queue manager, over the one engine and its jobs."""

from makegood_adapters.queue_manager.application import Options, mount

__all__ = ["Options", "mount"]
