"""What Postgres says when it refuses, without what is in its rows: their owners and inputs."""

import re

import asyncpg

from makegood.errors import StoreError

#: The class of the errors about a value, which quote it.
_DATA = "22"
_QUOTED = re.compile(r'".*"', re.DOTALL)
#: The referee's own that names an owner.
_TOO_FEW_CREDITS = "MG402"


class DatabaseRefusal(StoreError):
    """The database said no, and nothing was changed; `sqlstate` MG… are the referee's own. `shown` is what it
    shows of rows: error trackers would tell an attribute `detail` in place of the message."""

    def __init__(self, error: asyncpg.PostgresError) -> None:
        self.sqlstate = str(error.sqlstate)
        self.shown = str(error.detail) if error.detail else None
        lacks = isinstance(error, asyncpg.InsufficientPrivilegeError)
        super().__init__(missing_right(error) if lacks else bare(error))


def missing_right(error: asyncpg.PostgresError) -> str:
    """Say which right the database user lacks, and how its owner gives it."""
    return (
        f"The database user may not do this: {bare(error)}. The owner of the schema gives it rights with "
        "select makegood.grant_rights('<user>', 'worker'), or the kind that fits; "
        "docs/how-to/database-roles.md says what each may do."
    )


def bare(error: BaseException) -> str:
    """Take out of *error* what it shows of rows and values, and return the text that is left.

    It is taken out of the error itself, because traces tell of it wherever it is the cause. Constraint,
    table, column and sqlstate stay: its message and attributes name them. Other errors stay as they are.
    """
    if isinstance(error, asyncpg.PostgresError):
        error.detail = None
        message = str(error.args[0]) if error.args else ""
        if str(error.sqlstate).startswith(_DATA):
            message = _QUOTED.sub('"…"', message).partition(": ")[0]
            error.__cause__ = None  # the driver's own, which quotes the value too
        elif error.sqlstate == _TOO_FEW_CREDITS:
            message = "a wallet has too few credits for what it is to hold"
        error.args = (message,)
    return str(error)
