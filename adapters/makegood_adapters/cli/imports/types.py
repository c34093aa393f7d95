"""Which job type an old table is, what of an old row such a type takes, and what is kept beside it."""

from collections.abc import Iterable, Mapping
from typing import Any

from makegood import BaseJob
from makegood.outcome import JSON
from makegood_adapters.cli.imports.rows import OldJob
from makegood_adapters.postgres.rows import as_json

#: An input that is larger than this was no order of a page.
_INPUT_BYTES_MAX = 64 * 1024
_SUFFIX = "_jobs"


class Types:
    """The job types of a catalogue, by old table. *named* says which type a table has, and wins."""

    def __init__(self, catalog: Iterable[type[BaseJob]], named: Mapping[str, str]) -> None:
        self._newest: dict[str, type[BaseJob]] = {}
        for job_type in sorted(catalog, key=lambda each: each.version):
            self._newest[job_type.name] = job_type
        self._named = named

    def of(self, job: OldJob) -> type[BaseJob] | str:
        """Return the type of an old job in the version that takes new jobs, or why there is none."""
        name = job.type or self._named.get(job.table)
        if name is not None:
            return self._newest.get(name) or f"the catalogue has no job type {name!r}"
        having = [t for t in self._newest.values() if getattr(t, "table", "") == job.table]
        if not having:
            return (
                f"no job type has the table {job.table!r}: name one under [types] in the old side's file, or "
                f"leave the table behind with --leave-out {job.table}"
            )
        told = [t for t in having if _wire(t) and _wire(t).when]  # of those that share a table the row says
        fitting = [t for t in told if _wire(t).takes(job.payload)] or [t for t in having if t not in told]
        if not fitting:
            columns = sorted({column for t in told for column in _wire(t).when})
            says = ", ".join(f"{column} {job.payload.get(column)!r}" for column in columns)
            return f"no job type of the table {job.table!r} has a row with {says}"
        return next((t for t in fitting if t.name + _SUFFIX == job.table), fitting[0])


def _wire(job_type: type[BaseJob]) -> Any:
    """Return the names of the type on the old wire; only those of tool files have some."""
    return getattr(job_type, "wire", None)


def known_input(job_type: type[BaseJob], payload: Mapping[str, Any]) -> JSON:
    """Return what *payload* says of the inputs of the type, under their names and unchecked: the job was
    ordered elsewhere, and is not run from it."""
    columns: Mapping[str, str] = getattr(job_type, "columns", {})
    told = {name: payload.get(column) for column, name in columns.items()}
    told |= {name: payload[name] for name in job_type.Input.model_fields if payload.get(name) is not None}
    found = {name: value for name, value in told.items() if value is not None}
    return found if len(as_json(found)) <= _INPUT_BYTES_MAX else {}


def kept_beside(job: OldJob, job_type: type[BaseJob]) -> JSON:
    """Return what the old app knew of a job and no column of ours has, for its metadata: under `imported`
    what the server wrote, and beside it what the page did."""
    told = {
        "table": job.table,
        "status": job.status,
        "task_id": job.task_id,
        "account": job.account,
        "charged": job.price if job.charged else 0,
        "refunded": job.price if job.charged and job.refunded else 0,
        "output_url": job.output_url,
        "thumbnail_url": _text(job.payload.get("thumbnail_url")),
        "error_message": job.error_message,
    }
    kept: dict[str, Any] = {"imported": {name: value for name, value in told.items() if value is not None}}
    columns = _wire(job_type).kept if _wire(job_type) else ()
    kept |= {name: _text(job.payload[name]) for name in columns if job.payload.get(name) is not None}
    return kept


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:2_000]
