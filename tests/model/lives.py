"""What a job may do and what it must cost, worked out from the design's words: the referee of the referee."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from tests.model.site import Fate, Site

STATES = ("pending", "queued", "starting", "running", "completed", "failed", "cancelled")
TERMINAL = frozenset({"completed", "failed", "cancelled"})
SLOT = frozenset({"starting", "running"})
EVENTS = {
    ("pending", "queued"): "accept",
    ("pending", "failed"): "refuse",
    ("pending", "cancelled"): "cancel",
    ("queued", "starting"): "dispatch",
    ("queued", "failed"): "fail",
    ("queued", "cancelled"): "cancel",
    ("starting", "queued"): "defer",
    ("starting", "running"): "begin",
    ("starting", "completed"): "complete",
    ("starting", "failed"): "fail",
    ("starting", "cancelled"): "cancel",
    ("running", "queued"): "rerun",
    ("running", "completed"): "complete",
    ("running", "failed"): "fail",
    ("running", "cancelled"): "cancel",
}
DEADLINES = {"starting": timedelta(minutes=10), "running": timedelta(minutes=15)}
FETCH_DEADLINE = timedelta(hours=2)
NO_TASK = frozenset({"rejected", "failed", "absent"})
#: Of a job that was submitted: which of these facts about its attempt an event needs.
NEEDED = {
    "begin": frozenset({"accepted", "succeeded"}),
    "defer": NO_TASK,
    "rerun": NO_TASK,
    "complete": frozenset({"succeeded", "administrator"}),
    "fail": NO_TASK | {"cancelled", "deadline", "administrator"},
    "cancel": frozenset({"cancelled", "rejected", "absent", "administrator"}),
}
#: These need such a fact even of a job that was not submitted.
ALWAYS = frozenset({"begin", "complete"})
DATABASE, ADMINISTRATOR = "database:", "administrator:"


@dataclass(slots=True)
class Life:
    """One job as the story knows it; `earned` and `fee` are what a result and a cancelled run cost.

    `known` holds what was learned about each attempt.
    """

    name: str
    id: UUID
    owner: str
    price: int
    earned: int | None
    fee: int
    key: str | None = None
    state: str = "pending"
    version: int = 0
    attempt: int = 0
    entered_at: datetime | None = None
    asked: bool = False  # its end was asked for while the provider might have it
    wished: bool = False  # and that was noted
    overruled: bool = False  # an administrator has spoken about it
    intents: set[int] = field(default_factory=set)
    tokens: dict[int, bytes] = field(default_factory=dict)
    known: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    captured: int | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def submitted(self) -> bool:
        """Whether the provider may know of the current attempt."""
        return self.state in SLOT and self.attempt in self.intents

    @property
    def over(self) -> bool:
        """Whether the job has come to its end."""
        return self.state in TERMINAL

    def lacks(self, event: str, *, attempt: int | None = None) -> bool:
        """Whether too little is known about the attempt for *event*."""
        if self.state not in SLOT or event not in NEEDED:
            return False
        if event not in ALWAYS and not self.submitted:
            return False
        known = self.known[attempt or self.attempt] & NEEDED[event]
        if event == "cancel" and not self.wished:
            known = known - {"cancelled"}
        return not known

    def may_be_set_to(self, state: str) -> bool:
        """Whether a plain UPDATE may set this state; credits, which accepting needs, are not looked at."""
        if state == self.state:
            return True
        event = EVENTS.get((self.state, state))
        return event is not None and event != "dispatch" and not self.lacks(event)

    def costs(self, event: str, actor: str, *, ran: bool) -> int:
        """Return what is captured when *actor* ends the job by *event*; *ran*: the provider had begun."""
        if event == "complete":
            earned = self.earned
            if actor.startswith(DATABASE):
                earned = None
            elif actor.startswith(ADMINISTRATOR):
                told = actor.removeprefix(ADMINISTRATOR)
                earned = int(told) if told else None
            return self.price if earned is None else min(earned, self.price)
        if event == "cancel" and actor == "inquiry" and self.submitted and ran:
            return max(0, min(self.fee, self.price))
        return 0


@dataclass(frozen=True, slots=True)
class Step:
    """One transition as the database shows it."""

    job_id: UUID
    version: int
    event: str
    from_state: str
    to_state: str
    actor: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of evidence as the database shows it."""

    job_id: UUID
    attempt: int
    verdict: str
    source: str
    task_id: str | None


def check_step(life: Life, step: Step) -> None:
    """Fail unless the job may have moved like this, by what is known about it."""
    where = f"{life.name}: {step}"
    assert (step.from_state, step.version) == (life.state, life.version + 1), where
    assert EVENTS.get((step.from_state, step.to_state)) == step.event, where
    assert step.attempt == life.attempt + (step.event == "dispatch"), where
    assert not life.lacks(step.event), f"{where} although only {life.known[life.attempt]} is known"


def check_fact(life: Life, fact: Fact, site: Site, now: datetime) -> None:
    """Fail unless the evidence tells the truth about the provider, the clock or what people decided."""
    where = f"{life.name}: {fact}"
    token_hash = life.tokens.get(fact.attempt)
    task = site.task_of(token_hash)
    match fact.verdict:
        case "administrator":
            assert life.overruled, where
        case "deadline":
            waited = now - (life.entered_at or now)
            least = FETCH_DEADLINE if fact.source == "fetch deadline" else DEADLINES[life.state]
            assert waited >= least, where
        case "rejected":
            assert token_hash in site.refused, where
        case "accepted":
            assert task is not None, where
            assert fact.task_id == task.id, where
        case "succeeded":
            assert task is not None, where
            assert task.fate is Fate.SUCCEEDED, where
        case "failed":
            assert task is not None, where
            assert task.fate in {Fate.FAILED, Fate.TRANSIENT, Fate.EMPTY}, where
        case "cancelled":
            assert task is not None, where
            assert task.fate is Fate.CANCELLED, where
        case "absent":
            gone = task is not None and task.fate is Fate.LOST
            assert gone or (life.over and fact.source == "draining deadline"), where
        case other:
            raise AssertionError(f"{where}: what is {other!r}?")


def check_create_calls(life: Life, site: Site) -> None:
    """Fail if the provider was called for an attempt twice, or without a committed intent."""
    for number, token_hash in life.tokens.items():
        assert site.created[token_hash] <= 1, f"{life.name}: attempt {number} was submitted twice"
