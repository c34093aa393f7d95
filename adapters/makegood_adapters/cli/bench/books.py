"""No figure counts unless the books agree: the audit is empty and every credit and transition is there."""

import asyncpg

from makegood_adapters.cli.bench.jobs import text_of
from makegood_adapters.cli.bench.plan import BooksDisagree
from makegood_adapters.postgres.audit import examine


async def check_books(
    connection: asyncpg.Connection,
    whose: str,
    transitions: int,
    transitions_max: int | None = None,
    *,
    all_completed: bool = False,
) -> None:
    """Raise BooksDisagree unless *transitions* were made and every credit is where it should be.

    *transitions_max*: up to so many are right. *all_completed*: each job must also be completed.
    """
    audit = await examine(connection)
    if audit.broken:
        raise BooksDisagree(
            f"The books of {whose} do not agree, so nothing that was measured counts: "
            f"{audit.broken} violations, the first is: {audit.violations[0]}."
        )
    sums = await connection.fetchrow(text_of("books"))
    if sums is None:
        raise BooksDisagree(f"There is no job in the books of {whose}.")
    made = sums["transitions"]
    wrong = [
        f"{name} is {found}, not {wanted}"
        for name, found, wanted in (
            ("the number of transitions", made, min(max(made, transitions), transitions_max or transitions)),
            ("what is held", sums["held"], sums["owed_held"]),
            ("what is captured", sums["captured"], sums["owed_captured"]),
            ("what is left", sums["remaining"], sums["issued"] - sums["owed_held"] - sums["owed_captured"]),
            *([("the number of jobs that are not completed", sums["others"], 0)] if all_completed else []),
        )
        if found != wanted
    ]
    if wrong:
        raise BooksDisagree(
            f"The books of {whose} do not agree, so nothing that was measured counts: {'; '.join(wrong)}."
        )
