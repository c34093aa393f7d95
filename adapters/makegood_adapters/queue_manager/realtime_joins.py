"""What a page joins: a topic of its own naming, with a list of rows of which it wants to hear changes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from makegood_adapters.queue_manager.realtime_frames import Ref
from makegood_adapters.queue_manager.tables import Table, Tables

_ROW = re.compile(r"id=eq\.([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_EVENTS = ("UPDATE", "*")

Entry = Mapping[str, Any]


@dataclass(slots=True)
class Watch:
    """A row that a join asks for, by the `ids` of its entries; `version` is that of the change that was told
    last. The first version is the insert itself, which is no change."""

    table: Table
    job_id: UUID
    ids: list[int]
    version: int = 0


@dataclass(slots=True)
class Channel:
    """A topic that was joined by the message `join_ref`."""

    topic: str
    join_ref: Ref
    watches: list[Watch]


def entries_of(payload: Mapping[str, Any]) -> list[Entry] | None:
    """Return the entries of a join, None for what is no join."""
    config = payload.get("config", {})
    entries = config.get("postgres_changes", []) if isinstance(config, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    return entries


def numbered(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries as the reply repeats them: in their order, unchanged, each with an id."""
    return [
        {"id": number, **{name: value for name, value in entry.items() if name != "id"}}
        for number, entry in enumerate(entries, 1)
    ]


def watches_of(entries: Sequence[Entry], tables: Tables) -> list[Watch]:
    """Return the rows that *entries* ask for. What names none is joined and hears nothing, as is the row of
    another: nobody learns which ids there are."""
    found: dict[tuple[str, UUID], Watch] = {}
    for number, entry in enumerate(entries, 1):
        match = _ROW.fullmatch(entry["filter"]) if isinstance(entry.get("filter"), str) else None
        name = entry.get("table")
        table = tables.get(name) if isinstance(name, str) else None
        if match and table and entry.get("schema") == "public" and entry.get("event") in _EVENTS:
            job_id = UUID(match[1])
            watch = found.setdefault((table.name, job_id), Watch(table, job_id, []))
            watch.ids.append(number)
    return list(found.values())
