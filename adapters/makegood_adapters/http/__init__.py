"""What comes in over HTTP: the pieces every route shares, and the provider's webhooks."""

from makegood_adapters.http.application import application, runner
from makegood_adapters.http.health import health_route
from makegood_adapters.http.hooks_in import hook_routes
from makegood_adapters.http.reach import problem_of_hooks

__all__ = ["application", "health_route", "hook_routes", "problem_of_hooks", "runner"]
