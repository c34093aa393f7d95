"""Every key of the configuration, with its type, its default and what it refuses."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from makegood.errors import MakegoodError
from makegood.settings import Settings
from makegood_adapters.access import AuthConfig, LimitsConfig


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("it has a character that is none of a name")
    return name


#: More is a slip of the hand, and the store could not keep it.
_CAPACITY_MAX, _DRAINING_SECONDS_MAX = 1_000_000, 30 * 86_400
#: Processes of one service; each has its own connections to the database.
WORKERS_MAX = 64
_LINK_SECRET_BYTES_MIN = 32
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:\d{1,5})?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
#: Words that stand where a bucket does in addresses of the storage API.
_NO_BUCKETS = frozenset(
    {"public", "results", "authenticated", "sign", "info", "list", "upload", "move", "copy"}
)
_Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


def is_loopback(host: str | None) -> bool:
    """Return whether *host*, a name or an address, is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_origin(text: str) -> bool:
    """Whether a browser could send this as the origin of a page: scheme, host and port in small letters."""
    standard = {"http": ":80", "https": ":443"}.get(text.partition(":")[0], "")
    return bool(_ORIGIN.fullmatch(text)) and not text.endswith(standard)


class ConfigurationError(MakegoodError):
    """The configuration cannot be used; the message names the key and what to do."""


class AccountConfig(BaseModel):
    """One account at a provider. Keys, balances and uploads of RunningHub's .cn and .ai are not shared.

    What stands below `draining_seconds` is for RunningHub alone.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: _Name
    provider: _Name = "runninghub"
    pool: _Name = "runninghub"
    capacity: int | None = Field(default=None, ge=0, le=_CAPACITY_MAX)
    exclusive: bool = False
    base_url: str = "https://www.runninghub.cn"
    api_key: SecretStr
    draining_seconds: float = Field(default=7200.0, gt=0, le=_DRAINING_SECONDS_MAX)
    api: Literal["v1", "v2"] = "v1"
    upload_api: Literal["v1", "v2"] = "v2"
    auth_mode: Literal["both", "body", "bearer"] = "both"
    calls_per_second: float | None = Field(default=None, gt=0)


class S3Config(BaseModel):
    """Where the bucket of `blobs = "s3://…"` is. Without keys: the AWS_* variables or the machine's role."""

    model_config = ConfigDict(extra="forbid")

    endpoint: str | None = None
    region: str = "us-east-1"
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None

    @model_validator(mode="after")
    def both_or_neither(self) -> Self:
        """Refuse half a key, and an address that is none."""
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together; give both or neither")
        if self.endpoint is not None and not self.endpoint.startswith(("http://", "https://")):
            raise ValueError("endpoint must begin with http:// or https://")
        return self


class WebhooksConfig(BaseModel):
    """Webhooks of ours to endpoints; how often and how long they are tried is told in `engine`."""

    model_config = ConfigDict(extra="forbid")

    send: bool = True
    allow_private: bool = False


class HttpConfig(BaseModel):
    """Which pages may call the API, and what clients may take of the service: connections and time."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    origins: list[str] = Field(default_factory=list)
    connections_max: int = Field(default=10_000, ge=1)
    connections_per_address_max: int = Field(default=500, ge=0)
    head_seconds: float = Field(default=10.0, gt=0)
    idle_seconds: float = Field(default=75.0, gt=0)
    write_seconds: float = Field(default=30.0, gt=0)
    leave_seconds: float = Field(default=0.0, ge=0, le=600)

    @field_validator("origins")
    @classmethod
    def are_origins(cls, origins: list[str]) -> list[str]:
        """Refuse what no browser would ever send, since it would open nothing and look as if it did."""
        if "*" in origins and len(origins) > 1:
            raise ValueError('"*" is every origin; leave the others out, or leave "*" out')
        for origin in origins:
            if origin != "*" and not _is_origin(origin):
                raise ValueError(
                    f"{origin!r} is no origin; it is written https://shop.example or http://localhost:5173, "
                    "in small letters, without a path, a slash at the end or the usual port"
                )
        return origins


class PageConfig(BaseModel):
    """The page of operators: whether it is served, and whether it is open to whoever is on this machine."""

    model_config = ConfigDict(extra="forbid")

    serve: bool = True
    open: bool = True


class StreamsConfig(BaseModel):
    """Bounds of the streams of events of one process."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    heartbeat_seconds: float = Field(default=15.0, gt=0)
    stream_seconds_max: float = Field(default=3_600.0, gt=0)
    streams_max: int = Field(default=10_000, ge=1)
    streams_per_owner_max: int = Field(default=100, ge=1)
    untold_max: int = Field(default=1_000, ge=1)
    place_seconds: float = Field(default=3.0, gt=0)
    places_per_second: float = Field(default=20.0, gt=0)
    pause_seconds: float = Field(default=1.0, gt=0)


class ServiceConfig(BaseSettings):
    """Every key of the service; config/makegood.toml explains each.

    Nested keys in the environment are joined by two underscores: MAKEGOOD_ENGINE__LEASE_SECONDS. A secret may
    be in a file, which the key with `_file` at its end names.
    """

    model_config = SettingsConfigDict(env_prefix="MAKEGOOD_", env_nested_delimiter="__", extra="forbid")

    database_url: SecretStr
    database_update_schema: bool = True
    database_transaction_pooler: bool = False
    database_connections_max: int = Field(default=10, ge=2)
    database_commit_batch_max: int = Field(default=500, ge=1)
    wakeups: bool = True
    wakeups_database_url: SecretStr | None = None
    workers: int = Field(default=1, ge=1, le=WORKERS_MAX)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    http: HttpConfig = HttpConfig()
    streams: StreamsConfig = StreamsConfig()
    page: PageConfig = PageConfig()
    log_format: Literal["auto", "text", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics_public: bool = False
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    metrics_audit_seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    traces_share: float = Field(default=1.0, ge=0, le=1)
    traces_owners: bool = False
    sentry_dsn: SecretStr | None = None
    blobs: str = "makegood-files"
    s3: S3Config = S3Config()
    upload_bytes_max: int = Field(default=30_000_000, ge=1)
    upload_day_bytes_max: int = Field(default=1_000_000_000, ge=1)
    link_secret: SecretStr | None = None
    tools: Path | None = None
    deadlines: dict[str, float] = Field(default_factory=dict)
    finish_queued: Literal["settle", "record"] = "settle"
    public_key: SecretStr | None = None
    public_url: str | None = None
    buckets: list[str] = Field(default=["artes-cloudinary"])
    auth: AuthConfig = AuthConfig()
    limits: LimitsConfig = LimitsConfig()
    webhooks: WebhooksConfig = WebhooksConfig()
    accounts: list[AccountConfig] = Field(default_factory=list)
    engine: Settings = Settings()
    #: Where each value comes from that is no default, by its path, and what an operator should know.
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _warnings: list[str] = PrivateAttr(default_factory=list)

    @property
    def origins(self) -> dict[str, str]:
        """Where each value comes from, by its path; what is not named has its default."""
        return self._origins

    @property
    def warnings(self) -> list[str]:
        """What is unwise though it works, in sentences."""
        return self._warnings

    @property
    def address_of_pages(self) -> str | None:
        """The address under which pages reach this service: `public_url`, or where it listens on this machine
        alone. None: it is not known."""
        if self.public_url is not None:
            return self.public_url
        if self.host not in ("127.0.0.1", "localhost", "::1") or not self.port:
            return None
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def page_open(self) -> bool:
        """Whether whoever is on this machine needs no key to look: `page.open`, on loopback alone, and only
        where nothing says that others come here too. They come through a proxy on this machine, and one that
        does not name them would let them pass for somebody on it."""
        addresses = [url for url in (self.public_url, self.engine.webhook_base_url) if url is not None]
        others = self.auth.knows_users or not all(is_loopback(_host_of(url)) for url in addresses)
        return self.page.open and is_loopback(self.host) and not others

    @field_validator("blobs", mode="before")
    @classmethod
    def is_a_place(cls, blobs: object) -> object:
        """Take a path as text, and refuse an address of what is no bucket."""
        text = str(blobs) if isinstance(blobs, Path) else blobs
        if (
            isinstance(text, str)
            and "://" in text
            and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,62}(/.*)?", text)
        ):
            raise ValueError("it is neither a folder nor a bucket like s3://bucket/prefix")
        if text == "":
            raise ValueError("name a folder or a bucket like s3://bucket/prefix")
        return text

    @field_validator("public_url")
    @classmethod
    def is_an_address(cls, url: str | None) -> str | None:
        """Refuse what could be no beginning of an address, for inputs are compared with it to the letter."""
        if url is not None and not _is_origin(url):
            raise ValueError(
                f"{url!r} must be written like https://api.shop.example: scheme and host in small letters, "
                "without a path, a slash at the end or the usual port"
            )
        return url

    @field_validator("buckets")
    @classmethod
    def are_buckets(cls, buckets: list[str]) -> list[str]:
        """Refuse names that addresses of the storage API cannot have."""
        for name in buckets:
            if not _BUCKET.fullmatch(name) or name in _NO_BUCKETS:
                raise ValueError(
                    f"{name!r} is no name of a bucket: 2 to 63 of a-z, 0-9, `.`, `_`, `-`, and none "
                    f"of {', '.join(sorted(_NO_BUCKETS))}"
                )
        return buckets

    @field_validator("link_secret")
    @classmethod
    def cannot_be_tried_out(cls, secret: SecretStr | None) -> SecretStr | None:
        """Refuse a secret that is short, as a word of a language is."""
        if secret is not None and len(secret.get_secret_value().encode()) < _LINK_SECRET_BYTES_MIN:
            raise ValueError(
                f"it must have {_LINK_SECRET_BYTES_MIN} random bytes or more: `openssl rand -hex 32`"
            )
        return secret

    @field_validator("accounts")
    @classmethod
    def names_differ(cls, accounts: list[AccountConfig]) -> list[AccountConfig]:
        """Refuse a name given twice: slots and attempts are counted by it."""
        names = [account.name for account in accounts]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the name {twice[0]!r} stands for two accounts; give each its own")
        return accounts
