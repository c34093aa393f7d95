"""Whether the providers' webhooks reach this service, asked by calling as a provider would."""

import secrets

import aiohttp

_SECONDS = 10.0
_BODY_BYTES_MAX = 1_000


async def problem_of_hooks(base_url: str) -> str | None:
    """Call the route of the webhooks under *base_url* with a token that nobody has; return what is wrong.

    None: the answer is the one that `hook_routes` gives to such a token, so the way and the store are well.
    """
    url = f"{base_url}/hooks/{secrets.token_urlsafe(32)}"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS), trust_env=False) as session,
            session.post(url, json={}, allow_redirects=False) as reply,
        ):
            body = await reply.content.read(_BODY_BYTES_MAX)
            if (reply.status, body) == (404, b'{"error": "Not Found"}'):
                return None
            if reply.status == 404:
                return "the answer is a 404 of somebody else's, so /hooks/ leads elsewhere"
            return f"the answer is HTTP {reply.status} in place of the one to an unknown token"
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return f"nobody answers ({type(error).__name__})"
