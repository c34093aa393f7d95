"""What is known to the audience: jobs as users see them, the story so far, how mishaps ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from makegood import JobMoney
from makegood_adapters.cli.demo.script import Mishap, Part


@dataclass(slots=True)
class Ticket:
    """One job as its user sees it."""

    part: Part
    job_id: UUID
    price: int
    table: str
    state: str = "pending"
    position: int = 0
    versions: list[str] = field(default_factory=list)
    attempts: int = 0
    over: bool = False
    money: JobMoney = field(default_factory=JobMoney)
    told: str = ""
    result_key: str | None = None
    by_button: bool = False

    @property
    def name(self) -> str:
        """How the story calls it."""
        return f"job {self.part.number}"


@dataclass(slots=True)
class Ending:
    """How one mishap ended: a sentence, and whether it is how it must end."""

    what: str
    outcome: str
    good: bool


class Show:
    """Everything that the view draws; it changes nothing in the world."""

    def __init__(self, tell: Callable[[str, str, UUID | None], None]) -> None:
        self._tell = tell
        self.tickets: dict[UUID, Ticket] = {}
        self.mishaps: dict[Mishap, Ticket] = {}
        self.endings: list[Ending] = []
        self.balances: dict[str, tuple[int, int]] = {}
        self.slots = (0, 0, 0)
        self.engine = "starting"
        self.restarts = 0

    def say(self, line: str, style: str = "", job: UUID | None = None) -> None:
        """Add a line to the story, which may tell of a job."""
        self._tell(line, style, job)

    def count(self, state: str) -> int:
        """How many jobs are in *state*."""
        return sum(t.state == state for t in self.tickets.values())

    @property
    def all_over(self) -> bool:
        """Whether no job of the story can change any more; those of buttons come beside it."""
        return all(t.over for t in self.tickets.values() if not t.by_button)
