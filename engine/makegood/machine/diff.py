"""What differs between two machines, and what that means for the jobs that are under way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields

from makegood.machine.spec import Edge, EvidenceRule, Money, Spec, StateSpec


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what it is about, what it was and what it is; empty for not there.

    `rules` tells that it is among the rules which a version fixes; the rest may change within one.
    """

    subject: str
    before: str
    after: str
    rules: bool = True

    def __str__(self) -> str:
        if not self.before:
            return f"+ {self.subject}: {self.after}" if self.after else f"+ {self.subject}"
        if not self.after:
            return f"- {self.subject}: {self.before}"
        return f"~ {self.subject}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Difference:
    """All differences, by what they are about, each list in the order of the machines."""

    states: list[Change] = field(default_factory=list)
    slots: list[Change] = field(default_factory=list)
    edges: list[Change] = field(default_factory=list)
    money: list[Change] = field(default_factory=list)
    evidence: list[Change] = field(default_factory=list)
    deadlines: list[Change] = field(default_factory=list)
    order: list[Change] = field(default_factory=list)
    words: list[Change] = field(default_factory=list)
    obligations: list[Change] = field(default_factory=list)
    needs_new_version: bool = False
    for_live_jobs: list[str] = field(default_factory=list)

    @property
    def sections(self) -> dict[str, list[Change]]:
        """The lists that are not empty, by name."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {n: v for n, v in found.items() if isinstance(v, list) and n != "for_live_jobs" and v}

    def __bool__(self) -> bool:
        return bool(self.sections)


def diff(old: Spec, new: Spec) -> Difference:
    """Return how *new* differs from *old*, and what follows for jobs that began with *old*.

    `needs_new_version` tells whether a store that knows *old* would refuse *new* under its version.
    """
    kept = [name for name in old.state if name in new.state]
    found = Difference(
        states=[*_states(old, new)],
        slots=[*_of_states(old, new, kept, lambda s: "slot" if s.slot else "no slot", rules=True)],
        edges=[*_edges(old, new)],
        money=[*_money(old, new)],
        evidence=[*_evidence(old, new)],
        deadlines=[*_of_states(old, new, kept, _deadline, rules=False), *_ends(old, new, kept)],
        order=[*_order(old, new)],
        words=[*_words(old, new, kept)],
        obligations=[*_obligations(old, new)],
        needs_new_version=old.name == new.name and old.digest != new.digest,
    )
    found.for_live_jobs.extend(_meaning(old, new, found))
    return found


def _states(old: Spec, new: Spec) -> Iterator[Change]:
    for name, state in old.state.items():
        if name not in new.state:
            yield Change(f"state {name!r}", _kind(state), "")
        elif _kind(state) != _kind(new.state[name]):
            yield Change(f"state {name!r}", _kind(state), _kind(new.state[name]))
    for name, state in new.state.items():
        if name not in old.state:
            told = [_kind(state), *(["slot"] if state.slot else [])]
            yield Change(f"state {name!r}", "", ", ".join(told))


def _kind(state: StateSpec) -> str:
    return "initial" if state.initial else "final" if state.terminal else "waiting"


def _of_states(
    old: Spec, new: Spec, kept: list[str], told: Callable[[StateSpec], str], *, rules: bool
) -> Iterator[Change]:
    for name in kept:
        before, after = told(old.state[name]), told(new.state[name])
        if before != after:
            yield Change(f"state {name!r}", before, after, rules)


def _deadline(state: StateSpec) -> str:
    return "none" if state.deadline_seconds is None else f"{state.deadline_seconds:g} s"


def _ways(spec: Spec) -> dict[tuple[str, str], Edge]:
    return {(e.event, e.source): e for e in spec.edges}


def _edges(old: Spec, new: Spec) -> Iterator[Change]:
    before, after = _ways(old), _ways(new)
    for way, edge in before.items():
        there = after.get(way)
        if there is None:
            yield Change(_way(edge), _to(edge), "")
        elif there.dest != edge.dest:
            yield Change(_way(edge), edge.dest, there.dest)
    for way, edge in after.items():
        if way not in before:
            yield Change(_way(edge), "", _to(edge))


def _way(edge: Edge) -> str:
    return f"{edge.event!r} from {edge.source!r}"


def _to(edge: Edge) -> str:
    return edge.dest if edge.money is Money.NONE else f"{edge.dest}, {edge.money.value}"


def _money(old: Spec, new: Spec) -> Iterator[Change]:
    after = _ways(new)
    for way, edge in _ways(old).items():
        if way in after and after[way].money is not edge.money:
            yield Change(_way(edge), edge.money.value, after[way].money.value)


def _evidence(old: Spec, new: Spec) -> Iterator[Change]:
    """Yield the edges in both machines that need other evidence about the attempt: slots and ends decide."""
    after = _ways(new)
    for way, edge in _ways(old).items():
        if way in after:
            before, now = _rule(old.evidence(edge)), _rule(new.evidence(after[way]))
            if before != now:
                yield Change(_way(edge), before, now)


def _rule(rule: EvidenceRule | None) -> str:
    if rule is None:
        return "no evidence"
    verdicts = ", ".join(sorted(verdict.value for verdict in rule.verdicts))
    return verdicts if rule.always else f"{verdicts}, if it was submitted"


def _ends(old: Spec, new: Spec, kept: list[str]) -> Iterator[Change]:
    for name in kept:
        before, after = old.on_deadline(name), new.on_deadline(name)
        was, now = (f"{e.event} to {e.dest}" if e else "nothing" for e in (before, after))
        if was != now:
            yield Change(f"state {name!r}, taken at its deadline", was, now)


def _order(old: Spec, new: Spec) -> Iterator[Change]:
    """Yield changes of order alone: it is among the rules, since the first fitting edge ends a job."""
    for what, before, after in (
        ("states", [*old.state], [*new.state]),
        ("edges", [*_ways(old)], [*_ways(new)]),
    ):
        both = [[x for x in before if x in after], [x for x in after if x in before]]
        if both[0] != both[1]:
            yield Change(f"the order of the {what}", "as before", "another")


def _words(old: Spec, new: Spec, kept: list[str]) -> Iterator[Change]:
    """Yield what is only told or asked of people: names, public statuses, permissions, data."""
    for what in ("name", "version"):
        before, after = str(getattr(old, what)), str(getattr(new, what))
        if before != after:
            yield Change(what, before, after, rules=False)
    for name in kept:
        for what in ("label", "public", "data"):
            before, after = getattr(old.state[name], what), getattr(new.state[name], what)
            if before != after:
                yield Change(f"{what} of {name!r}", before or "none", after or "none", rules=False)
    after_ways = _ways(new)
    for way, edge in _ways(old).items():
        there = after_ways.get(way)
        if there and there.permission != edge.permission:
            told = (edge.permission or "none", there.permission or "none")
            yield Change(f"permission of {_way(edge)}", *told, rules=False)


def _obligations(old: Spec, new: Spec) -> Iterator[Change]:
    before, after = ({o.name: o for o in spec.obligations} for spec in (old, new))
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            was, now = (_owed(spec.get(name)) for spec in (before, after))
            yield Change(f"obligation {name!r}", was, now, rules=False)


def _owed(obligation: object) -> str:
    if obligation is None:
        return ""
    opened, closed = (getattr(obligation, end) for end in ("opened_by", "closed_by"))
    return " -> ".join(", ".join(f"{e}@{s}" if s else e for e, s in end) for end in (opened, closed))


def _meaning(old: Spec, new: Spec, found: Difference) -> Iterator[str]:
    version = f"version {old.version}"
    if old.name != new.name:
        yield f"another job type: jobs of {old.name!r} are not concerned"
        return
    gone = [n for n, s in old.state.items() if n not in new.state and not s.terminal]
    if gone:
        yield f"{_count(len(gone), 'state')} gone ({', '.join(gone)}): jobs in them keep {version}"
    if found.needs_new_version:
        yield f"jobs under way keep the rules of {version} to their end"
        if new.version == old.version:
            yield f"under {version} a store that knows the old rules refuses the new ones: raise the version"
    else:
        if any(not change.rules for change in found.deadlines):
            yield "a changed deadline holds for each job from the next state that it enters"
        if new.version != old.version and found:
            yield "the rules are the same: a new version was not needed"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
