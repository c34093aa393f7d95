"""The parts `[auth]` and `[limits]` of the configuration: how users are known, and how often who may call."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from limits import RateLimitItem, parse
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

Network = IPv4Network | IPv6Network
#: Whoever calls from this machine: usually the proxy before the service.
LOOPBACK: Sequence[Network] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


def _rate(text: str) -> str:
    try:
        amount = parse(text).amount
    except ValueError:
        amount = 0
    if amount < 1:
        raise ValueError(f"{text!r} is no rate: write it like 600/minute, 5/second or 100/10 minutes")
    return text


def _network(text: object) -> object:
    try:
        return ip_network(str(text))
    except ValueError:
        raise ValueError(f"{text} is no network: write it like 10.0.0.0/8 or 192.168.1.4") from None


Rate = Annotated[str, AfterValidator(_rate)]


class AuthConfig(BaseModel):
    """How the token of a user is checked: by the keys of an issuer, or by a secret shared with it."""

    model_config = ConfigDict(extra="forbid")

    jwks_url: str | None = None
    jwt_secret: SecretStr | None = None
    issuer: str | None = Field(default=None, min_length=1)
    audience: str | None = Field(default=None, min_length=1)
    owner_claim: str = Field(default="sub", min_length=1)

    @property
    def knows_users(self) -> bool:
        """Whether there is anything by which a user's token can be checked."""
        return self.jwks_url is not None or self.jwt_secret is not None


#: What the operations cost, each a budget of its own; an operation of another cost is counted as a request.
USER_RATES = {"requests": "600/minute", "submits": "60/minute", "uploads": "60/minute"}
SERVICE_RATES = {"requests": "6000/minute", "submits": "3000/minute", "uploads": "3000/minute"}
#: The cost of what operators read: whoever is on this machine may read it too, by a page that looks often.
LOOKS = "looks"
ADDRESS_RATES = {"requests": "120/minute", "downloads": "1200/minute", LOOKS: "1200/minute"}


class LimitsConfig(BaseModel):
    """How often who may call one process; rates that are not given stay as they are.

    `user` is for each owner, `service` for each service key that acts for no owner, `address` for each
    address whose callers show no more than a publishable key; `failures` is how often an address may show
    credentials that are not valid. `trusted_proxies` are those whose X-Forwarded-For is believed.
    """

    model_config = ConfigDict(extra="forbid")

    user: dict[str, Rate] = Field(default_factory=dict)
    service: dict[str, Rate] = Field(default_factory=dict)
    address: dict[str, Rate] = Field(default_factory=dict)
    failures: Rate = "30/minute"
    trusted_proxies: list[Annotated[Network, BeforeValidator(_network)]] = list(LOOPBACK)

    @property
    def of_user(self) -> Mapping[str, RateLimitItem]:
        """What an owner may spend, by the cost of operations."""
        return _items(USER_RATES | self.user)

    @property
    def of_service(self) -> Mapping[str, RateLimitItem]:
        """What a service key may spend."""
        return _items(SERVICE_RATES | self.service)

    @property
    def of_address(self) -> Mapping[str, RateLimitItem]:
        """What the anonymous callers of an address may spend together."""
        return _items(ADDRESS_RATES | self.address)


def _items(rates: Mapping[str, str]) -> dict[str, RateLimitItem]:
    return {cost: parse(rate) for cost, rate in rates.items()}
