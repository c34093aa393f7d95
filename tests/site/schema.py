"""The schema `makegood` as tables of a page, with the comments that the database keeps of it."""

import asyncpg

GROUPS = {
    "Jobs": "job attempt evidence history outbox placed stream inbox parked_hint imported",
    "Money": "wallet bucket hold journal posting ledger_rule",
    "Whether all is right": "violation invariant",
    "Rules of job types": "machine machine_state machine_edge",
    "Provider accounts": "provider_account ask_budget learned pace",
    "The queue": "pool lane share rule freed milestone reckoning",
    "Processes, keys and rights": "worker service_key act granted kind_right migration",
    "Files": "upload upload_name uploading",
    "Webhooks of ours": "endpoint delivery delivery_try fan_out",
}
_COLUMNS = """
select c.relname as place, c.relkind = 'v' as is_view, obj_description(c.oid, 'pg_class') as told,
  a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as needed,
  col_description(c.oid, a.attnum) as meaning
from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'makegood'::regnamespace and c.relkind in ('r', 'v', 'p')
order by c.relname, a.attnum"""
_FUNCTIONS = """
select p.proname as name, pg_get_function_arguments(p.oid) as arguments,
  pg_get_function_result(p.oid) as result,
  obj_description(p.oid, 'pg_proc') as meaning,
  (select string_agg(distinct r.kind, ', ' order by r.kind) from makegood.kind_right as r
    where r.privilege = 'execute' and r.object ~ ('makegood\\.' || p.proname || '(,|$)')) as kinds
from pg_proc as p
where p.pronamespace = 'makegood'::regnamespace and p.prorettype <> 'trigger'::regtype
order by p.proname"""
_OWNERS = ("grant_rights", "revoke_rights", "renew_rights", "import_jobs")


async def schema_page(connection: "asyncpg.Connection[asyncpg.Record]") -> str:
    """Return what follows the head of the page, for a migrated database."""
    tables: dict[str, list[asyncpg.Record]] = {}
    for row in await connection.fetch(_COLUMNS):
        tables.setdefault(row["place"], []).append(row)
    grouped = {name: group.split() for name, group in GROUPS.items()}
    if rest := sorted(tables.keys() - {name for names in grouped.values() for name in names}):
        grouped["More"] = rest
    page = ""
    for group, names in grouped.items():
        page += f"\n## {group}\n"
        page += "".join(_table(name, tables[name]) for name in names)
    return page + "\n## Functions\n\n" + await _functions(connection)


def _table(name: str, columns: list[asyncpg.Record]) -> str:
    kind = "view" if columns[0]["is_view"] else "table"
    lines = [
        f"\n### `{name}`\n",
        f"{columns[0]['told'] or 'UNTOLD'}. A {kind}.\n",
        "| column | type | meaning |",
        "|---|---|---|",
    ]
    for column in columns:
        may_lack = "" if column["needed"] or column["is_view"] else ", or null"
        lines.append(f"| `{column['name']}` | {column['type']}{may_lack} | {_cell(column['meaning'])} |")
    return "\n".join(lines) + "\n"


async def _functions(connection: "asyncpg.Connection[asyncpg.Record]") -> str:
    told = "Who may call them beside the owner stands in the last column.\n\n"
    lines = ["| function | returns | meaning | who |", "|---|---|---|---|"]
    for row in await connection.fetch(_FUNCTIONS):
        if row["kinds"] or row["name"] in _OWNERS:
            call = f"`{row['name']}({row['arguments']})`"
            who = row["kinds"] or "the owner alone"
            lines.append(f"| {call} | `{row['result']}` | {_cell(row['meaning'])} | {who} |")
    return told + "\n".join(lines) + "\n"


def _cell(text: str | None) -> str:
    return (text or "UNTOLD").replace("|", "\\|")
