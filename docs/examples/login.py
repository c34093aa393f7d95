# login.py
from makegood_adapters.http.callers import Caller, CallerKind


class Login:
    """Who calls, as your app knows it: here your proxy has looked, and says so in a header."""

    async def identify(self, headers, address):
        user = headers.get("x-user")
        kind = CallerKind.USER if user else CallerKind.NONE
        return Caller(kind=kind, owner=user, address=address)

    async def admit(self, caller, cost, owner=None):
        """Count here who calls how often, and raise ApiProblem("rate_limited") when it is too often."""
