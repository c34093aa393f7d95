"""A feed of all owners, however their lines lie among each other: each movement once, whole, newest first."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from makegood.gathering import newest
from makegood.job import JournalLine
from makegood.ports import Ledger

LINE = JournalLine(
    owner="",
    seq=0,
    kind="hold",
    amount=1,
    balance=0,
    at=datetime(2026, 1, 1, tzinfo=UTC),
    bucket_id=1,
    bucket_kind="purchased",
    expires_at=None,
    source_ref="order-1",
    unlimited=False,
    origin_id=1,
)


class Mixed:
    """A journal whose lines of several owners lie among each other."""

    def __init__(self, order: list[str], lengths: list[int]) -> None:
        jobs = [UUID(int=number) for number, length in enumerate(lengths) for _ in range(length)]
        written = dict.fromkeys(order, 0)
        self.lines: list[JournalLine] = []
        for place, owner in enumerate(order, 1):
            job_id = jobs[written[owner] % len(jobs)]
            written[owner] += 1
            self.lines.append(replace(LINE, owner=owner, seq=written[owner], job_id=job_id, place=place))

    async def feed(self, limit: int, below: int | None = None) -> list[JournalLine]:
        return [line for line in self.lines[::-1] if below is None or cast(int, line.place) < below][:limit]

    async def lines_at(self, wanted: Collection[tuple[str, int]]) -> list[JournalLine]:
        return [line for line in self.lines if (line.owner, line.seq) in wanted]

    def movements(self) -> list[tuple[int, list[int]]]:
        """Return the place of each movement with those of all its lines, newest first."""
        found: dict[tuple[str, UUID | None, int], list[int]] = {}
        runs: dict[str, tuple[UUID | None, int]] = {}
        for line in self.lines:
            job_id, run = runs.get(line.owner, (None, 0))
            if line.job_id != job_id:
                run += 1
            runs[line.owner] = (line.job_id, run)
            found.setdefault((line.owner, line.job_id, run), []).insert(0, cast(int, line.place))
        return sorted(((max(places), places) for places in found.values()), reverse=True)


@settings(deadline=None)
@given(
    order=st.integers(0, 160).flatmap(
        lambda n: st.lists(st.sampled_from(["ada", "bo", "cy"]), min_size=n, max_size=n)
    ),
    lengths=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    limit=st.integers(1, 6),
)
def test_pages_of_a_mixed_journal_hold_each_movement_once_and_whole(
    order: list[str], lengths: list[int], limit: int
) -> None:
    journal, seen = Mixed(order, lengths), list[tuple[int, list[int]]]()
    below: int | None = None
    while page := asyncio.run(newest(cast(Ledger, cast(Any, journal)), below, limit)):
        seen += [(place, [cast(int, line.place) for line in movement]) for place, movement in page]
        below = page[-1][0]
    assert seen == journal.movements()
