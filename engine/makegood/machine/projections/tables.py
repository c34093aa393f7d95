"""A Spec as Markdown tables: what each event does in each state, and what each state is."""

from collections.abc import Iterable

from makegood.machine.projections.wording import MONEY_MEANS, duration, with_money
from makegood.machine.spec import Spec, StateSpec


def event_table(spec: Spec) -> str:
    """Return what each event does in each state that can be left: a column a state, a row an event.

    A cell holds the destination and what the move does to the credits; where it is empty, the event
    is refused. The legend below tells the words for money and the permissions that are needed.
    """
    states = [s.name for s in spec.states if not s.terminal]
    edges = {(e.event, e.source): e for e in spec.edges}
    rows = [["event", *(f"in `{_cell(state)}`" for state in states)]]
    for event in spec.events:
        found = [edges.get((event, state)) for state in states]
        rows.append([f"`{_cell(event)}`", *(with_money(_cell(e.dest), e) if e else "" for e in found)])
    return f"{_table(rows)}\n\n{_legend(spec)}"


def state_table(spec: Spec) -> str:
    """Return all states: what the outside sees of them, how long a job may stay, whether it has a slot."""
    rows = [["state", "public status", "deadline", "slot", "meaning"]]
    for s in spec.states:
        kind = "initial" if s.initial else ""
        limit = "final" if s.terminal else duration(s.deadline_seconds) if s.deadline_seconds else ""
        meaning = "; ".join(text for text in (kind, s.label) if text)
        rows.append([f"`{_cell(s.name)}`", _public(s), limit, "yes" if s.slot else "", _cell(meaning)])
    return _table(rows)


def _public(state: StateSpec) -> str:
    return f"`{_cell(state.public or state.name)}`"


def _legend(spec: Spec) -> str:
    used = {e.money for e in spec.edges}
    meanings = [f"**{money.value}** {meaning}" for money, meaning in MONEY_MEANS.items() if money in used]
    lines = ["An empty cell: the event is refused there."]
    if meanings:
        lines.append(f"What a move does to the credits: {'; '.join(meanings)}.")
    needed: dict[str, list[str]] = {}
    for e in spec.edges:
        if e.permission:
            needed.setdefault(e.permission, []).append(f"`{e.event}` in `{e.source}`")
    lines += [f"A person needs `{name}` for {', '.join(moves)}." for name, moves in needed.items()]
    return "\n".join(lines)


def _table(rows: list[list[str]]) -> str:
    head, *body = rows
    return "\n".join(_row(row) for row in (head, ["---"] * len(head), *body))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Return *text* so that it cannot end its cell."""
    return " ".join(text.replace("|", "\\|").split())
