"""Requests to addresses that others have named: to the public Internet alone, whatever a name leads to.

The check is where a socket is made for a real address. A resolver would not do: literal addresses never come
to it, and a name may lead elsewhere the next time it is asked for.
"""

import asyncio
import ipaddress
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: Some releases of Python call these global.
_REFUSED = [ipaddress.ip_network(n) for n in ("192.0.0.0/24", "2001::/23", "2002::/16", "3fff::/20")]
#: Of the Internet by its number, but machines of Azure reach the agent there that hands out their secrets.
_REFUSED.append(ipaddress.ip_network("168.63.129.16/32"))
_UNICAST_6 = ipaddress.ip_network("2000::/3")
_ADDRESS = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_NOT_PUBLIC = "is not on the public Internet"
_PORT_MIN = 1024  # below are the services of a machine; 443 is the one that speaks https
#: Whoever names an address may have its name looked up at a server that never answers, which keeps a thread
#: for long. The loop has few threads, for which files and databases wait, so names have some of their own.
_LOOKUPS: Final = ThreadPoolExecutor(max_workers=200, thread_name_prefix="makegood names")


class NotPublic(OSError):
    """The address is not one of the public Internet."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} {_NOT_PUBLIC}")


def check_public(host: str) -> None:
    """Raise NotPublic unless *host*, a literal address, is unicast of the public Internet.

    Of an IPv6 address that stands for one of IPv4 that one counts. The registries of special addresses are
    IANA's (RFC 6890).
    """
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and address not in _UNICAST_6:
            raise NotPublic(host)
        address = inner or address
    refused = any(address.version == net.version and address in net for net in _REFUSED)
    if refused or not address.is_global or address.is_multicast:
        raise NotPublic(host)


def problem_of_url(url: str, *, private: bool = False) -> str | None:
    """Return what is wrong with an address that others have named, as far as its text tells; None: nothing.

    It is https on port 443 or from 1024 on, without user or password; with *private* also http, on any port.
    The sentence repeats nothing of the address.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return "it is no address like https://example.org/webhooks"
    if "@" in parts.netloc:
        return "it has a user or a password"
    if not _ADDRESS.fullmatch(url) or "\\" in url or not host:
        return "it is no address like https://example.org/webhooks"
    if parts.fragment or url.endswith("#"):
        return "it has a fragment, which is never sent"
    if private:
        return None
    if parts.scheme != "https":
        return "it must begin with https://"
    if port is not None and port != 443 and port < _PORT_MIN:
        return f"its port must be 443, or {_PORT_MIN} or higher"
    return None


async def addresses_of(
    host: str, port: int = 0, family: int = socket.AF_UNSPEC, flags: int = 0
) -> list[ResolveResult]:
    """Return where a name leads, as literal addresses. Raises OSError, UnicodeError."""
    ask = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=flags)
    found = await asyncio.get_running_loop().run_in_executor(_LOOKUPS, ask)
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=int(address[1]),
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in found
    ]


class _Resolver(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return await addresses_of(host, port, family, socket.AI_ADDRCONFIG)

    async def close(self) -> None:
        """The threads are those of the process."""


def public_connector(*, private: bool = False, **given: Any) -> aiohttp.TCPConnector:
    """Return a connector that connects to the public Internet alone, with *private* to everything.

    *given* goes to the connector. What is refused is an `aiohttp.ClientConnectorError`, see `leads_inside`.
    """
    given.setdefault("resolver", _Resolver())
    return aiohttp.TCPConnector(socket_factory=None if private else _checked_socket, **given)


def leads_inside(error: aiohttp.ClientConnectorError) -> bool:
    """Whether there was no connection since a name leads to no address that is public."""
    return _NOT_PUBLIC in str(error.os_error)  # of several addresses the errors are told as one text


def _checked_socket(info: Any) -> socket.socket:
    family, kind, protocol, _, address = info
    check_public(address[0])
    return socket.socket(family, kind, protocol)
