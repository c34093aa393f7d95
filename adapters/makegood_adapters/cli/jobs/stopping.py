"""What a person is told before a job is cancelled: whether it ends at once, and what that costs."""

from collections.abc import Iterator

from makegood import BaseJob, InvalidRequest
from makegood.statement import ENGINE
from makegood_adapters.cli.acting import back
from makegood_adapters.cli.audit.dossier import Dossier


def needs_a_name(actor: str) -> str:
    """Return the name of a person. Raises InvalidRequest where it is none."""
    actor = actor.strip()
    if not actor or actor in ENGINE or actor.startswith("database:"):
        raise InvalidRequest(f"--actor takes the name of a person, not {actor!r}. Nothing was changed.")
    return actor


def outlook(found: Dossier, job_type: type[BaseJob] | None) -> Iterator[str]:
    """Yield what will happen; *job_type* is None where its policy is not known here."""
    job, held = found.job, found.money.held
    if not (found.spec.state[job.state].slot and job.submitted):
        yield f"It becomes cancelled: {back(found)}."
        return
    attempt = next((each for each in found.attempts if each.number == job.attempt), None)
    known = attempt and attempt.task_id
    where = f"{attempt.account} has it as task {known}" if attempt and known else "The provider may have it"
    yield f"{where}: it is asked to stop, and its answer decides."
    if not held:
        yield "Nothing is held, nothing is paid."
        return
    if job_type is None:
        yield (
            f"What that costs of {held:,} held credits is the policy of the job type, which is known with "
            "--config."
        )
        return
    begun, waits = (job_type.cancellation_price(job, ran) for ran in (True, False))
    yield f"Of {held:,} held credits {begun:,} are paid if the provider had begun, else {waits:,}."
