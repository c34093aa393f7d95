"""Evolink (evolink.ai): a provider of image and video models behind one API."""

from makegood_adapters.evolink.client import EvolinkClient, open_session
from makegood_adapters.evolink.provider import Evolink, open_account

__all__ = ["Evolink", "EvolinkClient", "open_account", "open_session"]
