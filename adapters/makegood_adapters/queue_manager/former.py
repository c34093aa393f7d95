"""What the row of a job says that was over in the old app: what the old row said."""

from collections.abc import Mapping
from typing import Any

from makegood.job import Job


def as_it_was(job: Job) -> dict[str, Any]:
    """Return the columns that the old backend has filled, {} for a job that was ever ours to run.

    They stand in the metadata, where `makegood import` has put them. The error is told without a word about
    credits: the old ledger's are not ours to tell, and the old texts promise refunds.
    """
    if not job.imported:
        return {}
    before: object = job.metadata.get("imported")
    kept = before if isinstance(before, Mapping) else {}
    error: object = job.error
    return {
        "output_url": kept.get("output_url"),
        "thumbnail_url": kept.get("thumbnail_url"),
        "credits_charged": bool(kept.get("charged")),
        "credits_refunded": bool(kept.get("refunded")),
        "error_message": error.get("message") if isinstance(error, Mapping) else None,
    }
