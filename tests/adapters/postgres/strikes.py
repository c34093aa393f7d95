"""Faults inside the server: one meets the n-th row that a worker's statements write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

import asyncpg

TABLES = ("wallet", "bucket", "journal", "hold", "job", "attempt", "evidence", "history", "outbox")
#: A sequence counts on through every rollback; whoever holds the advisory lock stops a worker that hangs.
SCHEMA = """
CREATE SCHEMA strike;
CREATE SEQUENCE strike.seen;
CREATE TABLE strike.plan (at bigint NOT NULL, fault text NOT NULL);
INSERT INTO strike.plan VALUES (0, '');
CREATE FUNCTION strike.meet() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  fault text;
BEGIN
  SELECT p.fault INTO fault FROM strike.plan p WHERE p.at = nextval('strike.seen');
  CASE fault
    WHEN 'REFUSED' THEN RAISE EXCEPTION 'a row could not be written';
    WHEN 'LOST_TO_OTHERS' THEN RAISE EXCEPTION USING ERRCODE = 'serialization_failure';
    WHEN 'DISK_FULL' THEN RAISE EXCEPTION USING ERRCODE = 'disk_full';
    WHEN 'KILLED' THEN PERFORM pg_terminate_backend(pg_backend_pid());
    WHEN 'HANGS' THEN PERFORM pg_advisory_xact_lock_shared(4711);
    ELSE NULL;
  END CASE;
  RETURN new;
END $$;
"""
HANGING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"


class Strike(Enum):
    """What happens at the row."""

    REFUSED = "an error that nobody expects; the work is given up"
    LOST_TO_OTHERS = "an error after which the work is run again"
    DISK_FULL = "an error of the machine, after which the work is run again"
    KILLED = "the backend is terminated in the middle of its statement"
    HANGS = "the backend waits for as long as the test holds a lock"


class Rows:
    """Counts every row before and after it is written once `arm` was called; number *at* is struck."""

    def __init__(self, plain: asyncpg.Connection) -> None:
        self._plain = plain

    async def arm(self, at: int = 0, strike: Strike = Strike.REFUSED) -> None:
        """Count from here; 0 lets all pass."""
        await self._plain.execute("SELECT setval('strike.seen', 1, false)")
        await self._plain.execute("UPDATE strike.plan SET at = $1, fault = $2", at, strike.name)

    async def seen(self) -> int:
        """Return how many have been counted, and count no more."""
        count = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM strike.seen"
        n = await self._plain.fetchval(count)
        await self._plain.execute("UPDATE strike.plan SET at = 0")
        return int(n)


@asynccontextmanager
async def rows_of(dsn: str) -> AsyncIterator[Rows]:
    """Put the triggers on every table that has to do with money, and count what others than this write."""
    plain = await asyncpg.connect(dsn)
    try:
        await plain.execute("DROP SCHEMA IF EXISTS strike CASCADE")
        await plain.execute(SCHEMA)
        for table in TABLES:
            for when in ("BEFORE", "AFTER"):
                await plain.execute(
                    f"CREATE TRIGGER strike_{when} {when} INSERT OR UPDATE ON makegood.{table}"
                    " FOR EACH ROW EXECUTE FUNCTION strike.meet()"
                )
        yield Rows(plain)
    finally:
        plain.terminate()
