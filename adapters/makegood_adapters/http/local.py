"""Whether a request was sent on this machine itself: past no proxy, and by no page of another site."""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from makegood_adapters.http.operation import Request

_HERE = frozenset({"127.0.0.1", "localhost", "[::1]"})
#: Whoever passes a request on says so in one of these. What is passed on may come from anywhere.
_PASSED_ON = frozenset(
    {
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-host",
        "x-original-url",
        "true-client-ip",
        "cf-connecting-ip",
        "cf-ray",
        "fastly-client-ip",
        "client-ip",
    }
)
_CREDENTIALS = ("authorization", "apikey")


def is_local(request: Request) -> bool:
    """Return whether *request*, to a service that listens on loopback, needs no key to look.

    Its peer is this machine, nobody has passed it on, and it shows no credentials, since wrong ones are never
    taken for none. The name that it calls us by is one of this machine alone: a page whose own name was made
    to lead here calls us by that. A page of ours may have sent it, or no page at all.
    """
    headers = request.headers
    if not _is_loopback(request.address) or any(name in headers for name in _CREDENTIALS):
        return False
    if any(name in _PASSED_ON or name.startswith("x-forwarded") for name in headers):
        return False
    # nginx calls us by the name that we listen on, and before 1.29.7 said nothing of itself but this. A later
    # one says nothing: whoever is behind it is told from others by X-Forwarded-For alone.
    if "close" in headers.get("connection", "").lower():
        return False
    host = headers.get("host", "").lower()
    return _names_us(host) and _is_ours(headers, host)


def _is_ours(headers: Mapping[str, str], host: str) -> bool:
    """Return whether no page of another origin sends it. Browsers that do not say where a request comes from
    name the origin at least of those that could change something or be read."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.lower() in (f"http://{host}", f"https://{host}")


def _names_us(host: str) -> bool:
    """Return whether *host* is a name of this machine, with or without a port."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return False
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return name in _HERE and host in (name, f"{name}:{port}")


def _is_loopback(peer: str) -> bool:
    try:
        found = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped.is_loopback
    return found.is_loopback
