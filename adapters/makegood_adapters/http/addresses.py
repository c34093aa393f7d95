"""Where a call comes from: the address that our own proxies saw, as one who is limited by it."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from makegood_adapters.access import Network

FORWARDED_FOR = "x-forwarded-for"


def client_address(headers: Mapping[str, str], peer: str, trusted: Sequence[Network]) -> str:
    """Return the address of the client: that of the *peer*, or, behind *trusted* proxies, what they say.

    Each proxy adds the address that it saw at the end, so the list is read from there and only as far as
    trusted proxies wrote it; what a client wrote itself stands before and is never reached.
    """
    found = _parsed(peer)
    for text in reversed(headers.get(FORWARDED_FOR, "").split(",")):
        if found is None or not any(found in network for network in trusted):
            break
        if (before := _parsed(text.strip())) is None:
            break
        found = before
    return peer if found is None else str(found)


def limited_as(address: str) -> str:
    """Return by which name an address is limited: one customer has a whole /64 of IPv6."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return address


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found
