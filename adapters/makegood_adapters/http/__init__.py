"""What comes in over HTTP: the pieces every route shares, the API, and the provider's webhooks."""

from makegood_adapters.http.aiohttp_app import aiohttp_app
from makegood_adapters.http.application import application, runner
from makegood_adapters.http.cors import api_cors
from makegood_adapters.http.guard import Bounds, Guard, GuardedSite
from makegood_adapters.http.health import health_route, probe_routes
from makegood_adapters.http.hooks_in import hook_routes
from makegood_adapters.http.metrics import RequestMeasures, metrics_route
from makegood_adapters.http.reach import problem_of_hooks
from makegood_adapters.http.request_ids import request_ids, tell_id

__all__ = [
    "Bounds",
    "Guard",
    "GuardedSite",
    "RequestMeasures",
    "aiohttp_app",
    "api_cors",
    "application",
    "health_route",
    "hook_routes",
    "metrics_route",
    "probe_routes",
    "problem_of_hooks",
    "request_ids",
    "runner",
    "tell_id",
]
