"""Replicate (replicate.com): a provider for the engine that signs its webhooks."""

from makegood_adapters.replicate.client import ReplicateClient, open_session
from makegood_adapters.replicate.provider import Replicate, open_account

__all__ = ["Replicate", "ReplicateClient", "open_account", "open_session"]
