"""The API `/v1`: what owners do with their jobs and credits, and operators with the service."""

from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.table import OPERATIONS

__all__ = ["OPERATIONS", "Api"]
