"""How often who may call: each has a budget, waits as long as it is told, and costs a bounded memory."""

from ipaddress import ip_network

import pytest

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood_adapters.access import LimitsConfig
from makegood_adapters.http.callers import Caller, CallerKind, Scope
from makegood_adapters.http.gatekeeper import REMEMBERED_SECONDS, Gatekeeper
from makegood_adapters.http.problems import ApiProblem
from makegood_adapters.http.rates import BoundedStorage, Rates
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from tests.api.issuer import BY_SECRET, Clock, a_gate, by_secret

FEW = LimitsConfig(
    user={"requests": "3/minute", "submits": "1/minute"},
    service={"requests": "5/minute"},
    address={"requests": "2/minute"},
    failures="2/minute",
)


def user(owner: str, address: str = "192.0.2.1") -> Caller:
    return Caller(kind=CallerKind.USER, owner=owner, address=address)


def service(name: str, owner: str | None = None) -> Caller:
    return Caller(kind=CallerKind.SERVICE, name=name, owner=owner, address="192.0.2.1")


def nobody(address: str, kind: CallerKind = CallerKind.ANONYMOUS) -> Caller:
    return Caller(kind=kind, address=address)


def served(rates: Rates, caller: Caller, cost: str = "requests") -> int:
    """Return how many calls at this moment are served, of ten."""
    for number in range(10):
        try:
            rates.count(caller, cost)
        except ApiProblem:
            return number
    return 10


def test_each_owner_key_and_address_has_a_budget_of_its_own() -> None:
    rates = Rates(FEW, Clock())
    assert served(rates, user("ada")) == 3
    assert served(rates, user("ada"), "submits") == 1
    assert served(rates, user("ada", "198.51.100.7")) == 0  # wherever she is
    assert served(rates, user("bob")) == 3
    assert served(rates, service("shop")) == 5
    assert served(rates, service("till")) == 5
    assert served(rates, service("shop", "ada")) == 0  # it acts for her, with what she has
    assert served(rates, service("shop", "eve")) == 3
    assert served(rates, nobody("192.0.2.1")) == 2
    assert served(rates, nobody("192.0.2.1", CallerKind.NONE)) == 0
    assert served(rates, nobody("192.0.2.2")) == 2


def test_an_operation_of_another_cost_is_a_request() -> None:
    rates = Rates(FEW, Clock())
    assert served(rates, user("ada"), "streams") == 3
    assert served(rates, user("ada"), "requests") == 0


def test_a_customer_has_a_whole_network_of_ipv6_and_one_address_of_ipv4() -> None:
    rates = Rates(FEW, Clock())
    assert served(rates, nobody("2001:db8:1:2::1")) == 2
    assert served(rates, nobody("2001:db8:1:2:ffff:ffff:ffff:ffff")) == 0
    assert served(rates, nobody("2001:db8:1:3::1")) == 2


def test_who_waits_as_long_as_it_is_told_is_served() -> None:
    clock = Clock()
    rates = Rates(FEW, clock)
    rates.count(user("ada"), "requests")
    clock.passed = 40.5
    assert served(rates, user("ada")) == 2
    with pytest.raises(ApiProblem) as problem:
        rates.count(user("ada"), "requests")
    headers = problem.value.headers
    assert headers == {
        "Retry-After": "20",
        "RateLimit-Policy": '"requests";q=3;w=60',
        "RateLimit": '"requests";r=0;t=20',
    }
    assert problem.value.detail == "At most 3 requests in 60 seconds are served; come again in 20 s."
    clock.passed += 19
    assert served(rates, user("ada")) == 0
    clock.passed += 1
    assert served(rates, user("ada")) == 3


def test_a_crowd_of_addresses_costs_a_bounded_memory_and_makes_no_user_forgotten() -> None:
    storage = BoundedStorage(Clock(), 100)
    for number in range(10_000):
        storage.incr(f"address-{number}", 60)
    assert len(storage) == 100
    rates = Rates(FEW, Clock(), callers_max=100)
    assert served(rates, user("ada")) == 3
    for number in range(10_000):
        rates.count(nobody(f"10.0.{number // 256}.{number % 256}"), "requests")
    assert served(rates, user("ada")) == 0


PROXIES = [ip_network("10.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.7, 10.9.9.9", "198.51.100.7"),
        ("10.0.0.1", "10.9.9.9", "10.9.9.9"),
        ("10.0.0.1", "198.51.100.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("fe80::1%eth0", None, "fe80::1"),
        ("", "198.51.100.7", ""),
    ],
)
async def test_an_address_is_what_our_own_proxies_saw(peer: str, forwarded: str | None, address: str) -> None:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    async with a_gate(None, proxies=PROXIES) as gate:
        assert (await gate.identify(headers, peer)).address == address


async def test_an_address_that_shows_wrong_credentials_too_often_is_told_to_wait_and_others_are_not() -> None:
    clock = Clock()

    async def code(gate: Gatekeeper, token: str, address: str) -> str:
        try:
            await gate.identify({"authorization": f"Bearer {token}"}, address)
        except ApiProblem as problem:
            return problem.code
        return "served"

    async with a_gate(BY_SECRET, clock, FEW) as gate:
        wrong = [await code(gate, "mgk_nonsense", "192.0.2.1") for _ in range(4)]
        assert wrong == ["unauthenticated", "unauthenticated", "rate_limited", "rate_limited"]
        assert await code(gate, "nonsense", "192.0.2.2") == "unauthenticated"
        # Who is right is served all the same, though others stand behind the same address.
        assert await code(gate, by_secret(), "192.0.2.1") == "served"
        old = by_secret(exp=clock.now() - 60)
        assert {await code(gate, old, "192.0.2.3") for _ in range(5)} == {"unauthenticated"}
        clock.passed = 60
        assert await code(gate, "mgk_nonsense", "192.0.2.1") == "unauthenticated"


async def test_a_key_that_was_revoked_is_refused_within_five_seconds() -> None:
    clock = Clock()
    engine = Engine(MemoryStore(), Catalog([]), blobs=MemoryBlobs(), run_loops=False)
    gate = Gatekeeper(engine, clock=clock)
    made = await engine.make_key("shop", ["owners", "a scope of a later release"], actor="olga")
    headers = {"authorization": f"Bearer {made.secret}"}
    found = await gate.identify(headers, "192.0.2.1")
    assert (found.kind, found.actor, found.scopes) == (
        CallerKind.SERVICE,
        "key:shop",
        frozenset({Scope.OWNERS}),
    )
    await engine.revoke_key(made.key.id, actor="olga")
    assert REMEMBERED_SECONDS == 5
    clock.passed = REMEMBERED_SECONDS
    with pytest.raises(ApiProblem) as problem:
        await gate.identify(headers, "192.0.2.1")
    assert problem.value.code == "unauthenticated"
    assert made.secret not in str(vars(gate))
