"""RunningHub (runninghub.cn and runninghub.ai): a provider for the engine and a simulator of it."""

from makegood_adapters.runninghub.client import RunningHubClient, open_session
from makegood_adapters.runninghub.patience import Patience
from makegood_adapters.runninghub.provider import RunningHub
from makegood_adapters.runninghub.webhook import parse_hint

__all__ = ["Patience", "RunningHub", "RunningHubClient", "open_session", "parse_hint"]
