"""Configuration of the service: config/makegood.toml, overridden by MAKEGOOD_* in the environment."""

from makegood_adapters.config.keys import (
    WORKERS_MAX,
    AccountConfig,
    ConfigurationError,
    HttpConfig,
    PageConfig,
    S3Config,
    ServiceConfig,
    StreamsConfig,
    WebhooksConfig,
    is_loopback,
)
from makegood_adapters.config.load import load_config
from makegood_adapters.config.told import Told, secrets_of, told

__all__ = [
    "WORKERS_MAX",
    "AccountConfig",
    "ConfigurationError",
    "HttpConfig",
    "PageConfig",
    "S3Config",
    "ServiceConfig",
    "StreamsConfig",
    "Told",
    "WebhooksConfig",
    "is_loopback",
    "load_config",
    "secrets_of",
    "told",
]
