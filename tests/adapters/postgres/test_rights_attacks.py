"""No role but the owner's moves credits or a job's state without journal and history: what was tried.

Each file of the folder `attacks` is a group of tries: a comment with four letters and words, and the SQL up
to the next one, in which {names} are those of a Scene. The letters say what comes of it for a worker, an
api, a readonly role, and one that was given nothing:

    R  refused, and no row of any table is changed
    H  nothing is refused, but no credits move and no job changes its state
    J  carried out by the referee: credits move with their journal rows, states with their history
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from makegood.job import Verdict
from makegood.testing.drive import Drive, accounts
from tests.roles import login

KINDS = ("worker", "api", "readonly", "nothing")
TRY = re.compile(r"^-- ([RHJ]{4}) (.+)\n((?:(?!-- ).*\n)+)", re.MULTILINE)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "referee.md"
WORDS = {"R": "refused", "H": "no credits move", "J": "with its journal"}
#: Where credits are, and where jobs stand.
MONEY = ("bucket", "hold", "journal", "wallet")
STATE = ("job", "history")
MACHINE = ("machine", "machine_state", "machine_edge")
REST = ("attempt", "evidence", "inbox", "outbox", "provider_account", *MACHINE)
#: Codes of a real refusal. A mistake in an attack (a wrong name, bad syntax) has another one.
REFUSALS = {
    "42501",  # no right
    "MG001", "MG002", "MG003", "MG004", "MG005",
    "23505",  # a unique index
    "23514",  # a check
    "55000",  # no prepared transactions
}  # fmt: skip  # grouped as they belong together


@dataclass(frozen=True)
class Attack:
    """One try: the words of the documentation, the SQL, the letters."""

    words: str
    sql: str
    outcome: str


def attacks() -> dict[str, list[Attack]]:
    """Read the groups by their titles, the first lines of the files."""
    found = {}
    for path in sorted(Path(__file__).with_name("attacks").glob("*.sql")):
        text = path.read_text("utf-8")
        title = text.splitlines()[0].removeprefix("-- ")
        found[title] = [Attack(words, sql, outcome) for outcome, words, sql in TRY.findall(text)]
        assert len(found[title]) == text.count("\n-- "), f"{path.name} has a comment that is no try"
    return found


GROUPS = attacks()


class Scene:
    """Jobs of one owner in several states, made anew after every attack that changed something."""

    def __init__(self, drive: Drive, plain: asyncpg.Connection) -> None:
        self._drive, self._plain, self._made = drive, plain, 0
        self.names: dict[str, object] = {}

    async def make(self) -> None:
        self._made += 1
        owner = f"owner-{self._made}"
        drive = self._drive
        await drive.grant(1_000, owner=owner)
        queued, pending = await drive.to("queued", owner=owner), await drive.insert(owner=owner)
        running, unsent = await drive.to("running", owner=owner), await drive.to("starting", owner=owner)
        done = await drive.to("running", owner=owner)
        await drive.record(done, Verdict.SUCCEEDED)
        await drive.event(await drive.to("queued", owner=owner), "fail")
        self.names = {
            "owner": owner,
            "account": accounts(queued.pool)[0],
            "bucket": (await drive.store.ledger.wallet(owner)).buckets[0].id,
            "queued": queued.id,
            "pending": pending.id,
            "running": running.id,
            "unsent": unsent.id,
            "done": done.id,
            "number": self._made,
        }

    def fill(self, sql: str) -> str:
        """Put the names in; `{}` is JSON and stays."""
        return re.sub(r"\{(\w+)\}", lambda found: str(self.names[found[1]]), sql)

    async def digest(self, *tables: str) -> list[str]:
        found = []
        for table in tables:
            rows = f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM makegood.{table} t"
            found.append(f"{table} {await self._plain.fetchval(rows)}")
        return found


@pytest_asyncio.fixture
async def scene(drive: Drive, plain: asyncpg.Connection) -> Scene:
    made = Scene(drive, plain)
    await made.make()
    return made


@pytest_asyncio.fixture
async def addresses(database: str, plain: asyncpg.Connection) -> AsyncIterator[dict[str, str]]:
    """Yield a DSN for each kind; each may also create schemas and objects in `public`, as on many servers."""
    name = await plain.fetchval("SELECT current_database()")
    await plain.execute(f"GRANT CREATE ON SCHEMA public TO public; GRANT CREATE ON DATABASE {name} TO public")
    async with AsyncExitStack() as stack:
        yield {
            kind: await stack.enter_async_context(login(database, None if kind == "nothing" else kind))
            for kind in KINDS
        }


async def attempt(dsn: str, sql: str) -> str | None:
    """Run *sql* in a session of its own and return the code of its refusal, None if there was none."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    except asyncpg.PostgresError as error:
        if error.sqlstate not in REFUSALS:
            raise
        return str(error.sqlstate)
    finally:
        await connection.close()
    return None


async def judge(scene: Scene, dsn: str, attack: Attack) -> str:
    """Try *attack* and return the letter of what came of it."""
    before = [await scene.digest(*tables) for tables in (MONEY, STATE, REST)]
    refused = await attempt(dsn, scene.fill(attack.sql))
    money, state, rest = (
        now != was
        for now, was in zip(
            [await scene.digest(*tables) for tables in (MONEY, STATE, REST)], before, strict=True
        )
    )
    if refused:
        assert (money, state, rest) == (False, False, False), (
            f"{attack.words}: refused, and yet it did something"
        )
        return "R"
    return "J" if money or state else "H"


@pytest.mark.parametrize("group", GROUPS)
async def test_whatever_is_tried_no_credits_move_without_a_journal_row(
    scene: Scene, addresses: dict[str, str], drive: Drive, plain: asyncpg.Connection, group: str
) -> None:
    found = {}
    for attack in GROUPS[group]:
        letters = ""
        for kind in KINDS:
            lines = await plain.fetchval("SELECT count(*) FROM makegood.journal")
            credits = await scene.digest("bucket")
            letter = await judge(scene, addresses[kind], attack)
            moved = credits != await scene.digest("bucket")
            written = lines != await plain.fetchval("SELECT count(*) FROM makegood.journal")
            assert moved == written, f"{attack.words} as {kind}"
            assert (await drive.store.audit()).violations == (), f"{attack.words} as {kind}"
            letters += letter
            if letter != "R":
                await plain.execute("DROP SCHEMA IF EXISTS evil CASCADE")
                await scene.make()
        found[attack.words, attack.sql] = letters
    assert found == {(attack.words, attack.sql): attack.outcome for attack in GROUPS[group]}


def table_of(group: str) -> str:
    """Return the lines of the documentation for a group of attacks."""
    head = f"| tried | {' | '.join(KINDS)} |\n|---|{'---|' * len(KINDS)}\n"
    body = (f"| {a.words} | {' | '.join(WORDS[letter] for letter in a.outcome)} |\n" for a in GROUPS[group])
    return f"### {group}\n\n{head}{''.join(body)}"


def test_what_is_tried_is_tried_in_many_ways() -> None:
    assert sum(map(len, GROUPS.values())) > 100
    assert len({attack.sql for tried in GROUPS.values() for attack in tried}) > 100


@pytest.mark.parametrize("group", GROUPS)
def test_the_documentation_lists_what_was_tried(group: str) -> None:
    assert table_of(group) in PAGE.read_text("utf-8")
