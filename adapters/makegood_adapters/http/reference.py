"""The table of operations and the codes of problems as Markdown, for the reference of the API."""

from collections.abc import Iterable

from makegood_adapters.http.callers import Scope
from makegood_adapters.http.openapi import usual_codes
from makegood_adapters.http.operation import Access, Op
from makegood_adapters.http.problems import CODES

_ABOUT = (
    "Written by `makegood openapi --format md`; [what holds everywhere](api.md) tells which problems any "
    "operation may answer."
)
_WHO = {
    Access.OPEN: "everybody",
    Access.ANONYMOUS: "any valid credentials",
    Access.OWNER: "the owner",
}


def reference(ops: Iterable[Op]) -> str:
    """Return a page with two tables: of the operations, each with who may call it and what it may answer, and
    of all codes."""
    lines = ["# The operations and problems of the API", "", _ABOUT, "", "## Operations", ""]
    lines += ["| Operation | What it does | Who | Its own problems |", "|---|---|---|---|"]
    for op in ops:
        usual = usual_codes(op)
        own = ", ".join(f"`{code}`" for code in dict.fromkeys(op.codes) if code not in usual)
        lines.append(f"| `{op.method}` `{op.path}`<br>`{op.name}` | {op.summary} | {_who(op)} | {own} |")
    lines += ["", "## Problems", "", "| Code | Status | Meaning |", "|---|---|---|"]
    lines += [f"| `{code}` | {status} | {title} |" for code, (status, title) in CODES.items()]
    return "\n".join(lines) + "\n"


def _who(op: Op) -> str:
    if op.who is Scope.OBSERVE:
        return "a service key with `observe` or `operations`, or who is on this machine"
    return f"a service key with `{op.who}`" if isinstance(op.who, Scope) else _WHO[op.who]
