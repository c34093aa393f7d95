"""Whether a provider's address can be used, and is one over which a key may travel."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"https?://[!-~]+")


def check_site(base_url: str, example: str) -> None:
    """Raise ValueError with a sentence for an address that is none like *example*, or that sends in clear.

    What can be seen to be wrong is refused here: a create call to it would end as uncertain. The sentence
    does not repeat a password.
    """
    try:
        parts = urlsplit(base_url)
        host, _ = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        raise ValueError(f"{base_url!r} is no address like {example}") from None
    if "@" in parts.netloc:
        raise ValueError(f"what it names as base_url is no address like {example}: it has a user or password")
    if not host or not _ADDRESS.fullmatch(base_url) or "\\" in base_url or parts.query or parts.fragment:
        raise ValueError(f"{base_url!r} is no address like {example}")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError(
            f"{base_url!r} begins with http://, which is for this machine alone: the key would travel in "
            f"clear, and a redirect would lose the request. Write https://{parts.netloc}"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
