"""Open the traces of jobs where they can go anywhere: where OpenTelemetry is installed and its SDK set up."""

import logging
from collections.abc import Sequence
from typing import Protocol

from makegood.ports import Observer
from makegood_adapters.config import ServiceConfig
from makegood_adapters.config.told import secrets_of
from makegood_adapters.redaction import Redaction
from makegood_adapters.telemetry.lives import Listener

log = logging.getLogger("makegood.service")


class Tracing(Observer, Listener, Protocol):
    """Tells of what an engine does, and of jobs that are over."""


def open_traces(config: ServiceConfig) -> Sequence[Tracing]:
    """Return who tells of traces, nobody if there is no SDK or no job is to be traced."""
    if not config.traces_share:
        return ()
    try:
        from opentelemetry import trace

        from makegood_adapters.telemetry.traces import Traces
    except ImportError:
        return ()
    provider = trace.get_tracer_provider()
    if not hasattr(provider.get_tracer("makegood"), "id_generator"):
        return ()
    log.info("jobs are traced: %g of them", config.traces_share)
    clean = Redaction(secrets_of(config)).clean
    return (Traces(provider, share=config.traces_share, owners=config.traces_owners, clean=clean),)
