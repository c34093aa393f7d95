"""Addresses that others have named: however one is spelt, nothing but the public Internet is reached."""

import socket
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from makegood_adapters.internet import NotPublic, check_public, leads_inside, problem_of_url, public_connector
from tests.adapters.queue_manager.scene import served

PUBLIC = ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
OTHER = [
    "127.0.0.1",
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
#: aiohttp itself refuses some of these; the last leads elsewhere than when it was looked at.
SPELLINGS = (
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0x7f000001",
    "127.1",
    "[::ffff:127.0.0.1]",
    "rebound.example",
)
BY_AIOHTTP = ("2130706433", "127.1")


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_pass(host: str) -> None:
    check_public(host)


@pytest.mark.parametrize("host", [*OTHER, "fe80::1%eth0"])
def test_all_others_do_not(host: str) -> None:
    with pytest.raises(NotPublic):
        check_public(host)


class Rebound(AbstractResolver):
    """Says that a name leads to this machine, as it did not when somebody looked."""

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        name = "127.0.0.1" if host == "rebound.example" else host
        found = socket.getaddrinfo(name, port, socket.AF_INET, socket.SOCK_STREAM)
        return [
            ResolveResult(hostname=host, host=to[0], port=port, family=kind, proto=proto, flags=0)
            for kind, _, proto, _, to in found
            if isinstance(to[0], str)
        ]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_reaches_this_machine(host: str) -> None:
    heard: list[str] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append(request.path)
        return web.Response(text="internal")

    app = web.Application()
    app.add_routes([web.get("/", hear)])
    async with served(app) as page:
        url = f"http://{host}:{page.base.rpartition(':')[2]}/"
        async with session_of(private=False) as session:
            with pytest.raises(aiohttp.ClientError) as refused:
                await session.get(url)
        assert heard == []
        if host in BY_AIOHTTP:
            assert isinstance(refused.value, aiohttp.InvalidURL)
            return
        assert isinstance(refused.value, aiohttp.ClientConnectorError)
        assert leads_inside(refused.value)
        # the way itself is open: nothing but the check stands in it
        async with session_of(private=True) as session, session.get(url) as answer:
            assert (answer.status, heard) == (200, ["/"])


def session_of(*, private: bool) -> aiohttp.ClientSession:
    connector = public_connector(private=private, resolver=Rebound())
    return aiohttp.ClientSession(connector=connector, trust_env=False)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://example.org/hooks?x=1", None),
        ("https://example.org:8443/hooks", None),
        ("https://[2606:4700::1111]/", None),
        ("http://example.org/", "https://"),
        ("ftp://example.org/", "no address"),
        ("https://", "no address"),
        ("https:///x", "no address"),
        ("https://example.org:25/", "port"),
        ("https://example.org:80/", "port"),
        ("https://example.org:99999/", "no address"),
        ("https://user:secret@example.org/", "user or a password"),
        ("https://user@example.org/", "user or a password"),
        ("https://example.org\\@127.0.0.1/", "user or a password"),
        ("https://exa mple.org/", "no address"),
        ("https://example.org/\r\nHost: x", "no address"),
        ("https://example.org/#part", "fragment"),
        ("https://[::1", "no address"),
        ("javascript:alert(1)", "no address"),
        ("", "no address"),
        ("\x00", "no address"),
        ("https://" + "ü" * 70 + ".org/", "no address"),
    ],
)
def test_what_an_address_may_be(url: str, problem: str | None) -> None:
    told = problem_of_url(url)
    assert (told is None) == (problem is None), told
    assert told is None or (problem or "") in told
    assert "secret" not in (told or "")


def test_in_development_http_and_every_port_will_do() -> None:
    assert problem_of_url("http://127.0.0.1:80/x", private=True) is None
    assert problem_of_url("http://a:b@127.0.0.1/", private=True) is not None
