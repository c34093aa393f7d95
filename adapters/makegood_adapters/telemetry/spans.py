"""Ids of a job's trace, which every process can reckon: nothing has to be stored or sent along."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

_NEXT: ContextVar[tuple[int, int] | None] = ContextVar("makegood_next_span", default=None)


def trace_id(job_id: UUID) -> int:
    """Return the id of the job's trace: the 128 bits of the job's own id."""
    return job_id.int


def span_id(job_id: UUID, *place: object) -> int:
    """Return the id of a span that others name as their parent: the job itself, or `"attempt", number`."""
    return int.from_bytes(_digest("/".join(map(str, ("span", job_id, *place))))) or 1


def is_in(share: float, job_id: UUID) -> bool:
    """Whether the job is among the *share* of jobs, 0 to 1, that are traced; all processes agree.

    A digest decides: in an id that is made by time even the last bits are not all random, and the usual
    samplers read those that tell the version.
    """
    return int.from_bytes(_digest(str(job_id))) < share * (1 << 64)


def below(job_id: UUID, *place: object) -> Context:
    """Return a context whose spans are children of that span of the job."""
    sampled = TraceFlags(TraceFlags.SAMPLED)
    parent = SpanContext(trace_id(job_id), span_id(job_id, *place), is_remote=True, trace_flags=sampled)
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:8]


class Generator(Protocol):
    """What makes ids in the SDK of OpenTelemetry."""

    def generate_span_id(self) -> int:
        """Return a new id of a span."""

    def generate_trace_id(self) -> int:
        """Return a new id of a trace."""

    def is_trace_id_random(self) -> bool:
        """Return whether the last 56 bits of the trace id are random."""


class ChosenIds:
    """Another generator, but for a span whose ids are known before it begins."""

    def __init__(self, inner: Generator) -> None:
        self._inner = inner

    def generate_span_id(self) -> int:
        """See `Generator.generate_span_id`."""
        chosen = _NEXT.get()
        return chosen[1] if chosen else self._inner.generate_span_id()

    def generate_trace_id(self) -> int:
        """See `Generator.generate_trace_id`."""
        chosen = _NEXT.get()
        return chosen[0] if chosen else self._inner.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """See `Generator.is_trace_id_random`."""
        return _NEXT.get() is None and self._inner.is_trace_id_random()


@contextmanager
def chosen(job_id: UUID, *place: object) -> Iterator[None]:
    """Let the span that begins in the block have the ids of that span of the job."""
    held = _NEXT.set((trace_id(job_id), span_id(job_id, *place)))
    try:
        yield
    finally:
        _NEXT.reset(held)
