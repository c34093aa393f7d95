"""What the old side says of one balance or one job, checked: what is wrong with it is told in sentences."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NoReturn
from uuid import UUID

from makegood.buckets import CREDITS_MAX, check_texts
from makegood.errors import InvalidRequest

Row = Mapping[str, Any]


class Pot(StrEnum):
    """Where the old app kept credits, and `live`: what its jobs under way had taken out."""

    MONTHLY = "monthly"
    LIFETIME = "lifetime"
    TEST = "test"
    LIVE = "live jobs"


#: The columns that each statement gives; what is only asked for if it is there is not among them.
BALANCE_COLUMNS = ("owner", "monthly", "monthly_expires_at", "lifetime", "test")
JOB_COLUMNS = (
    *("id", "table", "owner", "status", "task_id", "account", "price", "charged", "refunded", "created_at"),
    *("finished_at", "output_url", "error_message", "payload"),
)
FINISHED = ("completed", "failed", "cancelled")
LIVE = ("pending", "queued", "starting", "running")
#: No address and no message is longer; what is would only fill the database.
_TEXT_LENGTH_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OldBalance:
    """The pots of one user in whole credits, each with the moment at which it ends.

    `problems` says what is wrong; then the amounts are what the old side says, and may be below 0.
    """

    owner: str
    amounts: Mapping[Pot, int]
    expires_at: Mapping[Pot, datetime | None]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldJob:
    """One job of the old app; `paid` is what it has taken out of a balance and not given back.

    `id` and `owner` are None where the old side has none that could be kept; then `problems` says so.
    """

    place: str
    id: UUID | None
    table: str
    type: str | None
    owner: str | None
    status: str
    task_id: str | None
    account: str
    price: int
    charged: bool
    refunded: bool
    created_at: datetime
    finished_at: datetime
    output_url: str | None
    error_message: str | None
    payload: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def paid(self) -> int:
        """Whole credits that the old ledger still counts as spent on it."""
        return self.price if self.charged and not self.refunded else 0


class _Reading:
    """Reads the columns of one row, and gathers what is wrong with them."""

    def __init__(self, row: Row) -> None:
        self._row, self.problems = row, list[str]()

    def owner(self) -> str | None:
        value = self._row["owner"]
        text = None if value is None else str(value)
        try:
            check_texts(owner=text or "")
        except InvalidRequest:
            self.problems.append("it has no owner who could have credits or jobs")
            return None
        return text

    def credits(self, name: str, what: str) -> int:
        value = self._row[name]
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not _is_whole(value):
            self.problems.append(f"{name} is {value}: {what} is a whole number of credits")
            return 0
        if not 0 <= value <= CREDITS_MAX:
            self.problems.append(f"{name} is {int(value):,}: {what} is between 0 and {CREDITS_MAX:,}")
        return int(value)

    def moment(self, name: str) -> datetime | None:
        value = self._row.get(name)
        if value is None:
            return None
        if not isinstance(value, datetime):
            self.problems.append(f"{name} is {value!r}, which is no time")
            return None
        return value if value.tzinfo else value.replace(tzinfo=UTC)

    def flag(self, name: str) -> bool:
        value = self._row[name]
        if not isinstance(value, bool | None):
            self.problems.append(f"{name} is {value!r}, and it must be true or false")
        return value is True

    def text(self, name: str) -> str | None:
        value = self._row.get(name)
        return None if value is None else str(value)[:_TEXT_LENGTH_MAX]

    def payload(self) -> Mapping[str, Any]:
        value = self._row["payload"]
        try:
            found = json.loads(value, parse_constant=_no_number) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            self.problems.append("its payload is no JSON")
            return {}
        return found if isinstance(found, dict) else {}


def read_balance(row: Row) -> OldBalance | None:
    """Return what a row of balances says; None for one that is nobody's."""
    told = _Reading(row)
    owner = told.owner()
    if owner is None:
        return None
    amounts = {pot: told.credits(pot.value, "a balance") for pot in (Pot.MONTHLY, Pot.LIFETIME, Pot.TEST)}
    expires = {pot: told.moment(f"{pot.value}_expires_at") for pot in (Pot.MONTHLY, Pot.TEST)}
    stored = row.get("balance")
    added = amounts[Pot.MONTHLY] + amounts[Pot.LIFETIME]
    if stored is not None and not told.problems and stored != added:
        told.problems.append(f"balance is {stored}, and monthly and lifetime are {added} together")
    return OldBalance(owner=owner, amounts=amounts, expires_at=expires, problems=tuple(told.problems))


def read_job(row: Row, now: datetime) -> OldJob:
    """Return what a row of jobs says. *now* is the new database's time: nothing was created after it."""
    told = _Reading(row)
    job_id, owner, status = _uuid(row["id"]), told.owner(), str(row["status"])
    if job_id is None:
        told.problems.append("its id is no UUID: the page asks for jobs by that")
    if status not in (*FINISHED, *LIVE):
        told.problems.append(f"its status {status!r} is none of {', '.join((*LIVE, *FINISHED))}")
    created = told.moment("created_at")
    if created is None:
        told.problems.append("it has no created_at")
    elif created > now:
        told.problems.append(f"its created_at {created.isoformat()} is in the future")
    return OldJob(
        place=_printable(f"{row['table']} {row['id']}"),
        id=job_id,
        table=str(row["table"]),
        type=told.text("type"),
        owner=owner,
        status=status,
        task_id=_printable(told.text("task_id") or "") or None,
        account=told.text("account") or "primary",
        price=told.credits("price", "a price"),
        charged=told.flag("charged"),
        refunded=told.flag("refunded"),
        created_at=created or now,
        finished_at=told.moment("finished_at") or created or now,
        output_url=told.text("output_url"),
        error_message=told.text("error_message"),
        payload=told.payload(),
        problems=tuple(told.problems),
    )


def _printable(text: str) -> str:
    """Return *text* without what a terminal would take for orders: pages could write into the old tables."""
    return "".join(c for c in text if c.isprintable())


def _is_whole(value: int | float | Decimal) -> bool:
    return math.isfinite(value) and value == int(value)


def _no_number(constant: str) -> NoReturn:
    raise ValueError(constant)


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
