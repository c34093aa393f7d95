"""Put the queue manager's address spaces, functions, rows, files and changes, into an application."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Middleware

from makegood.engine import Engine
from makegood_adapters.http.aiohttp_app import WRITE_SECONDS
from makegood_adapters.http.application import Shape, contain_errors, error_object
from makegood_adapters.http.callers import Gate
from makegood_adapters.http.cors import Cors
from makegood_adapters.http.hub import Hub
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.queue_manager.addresses import Addresses
from makegood_adapters.queue_manager.callers import demand_public_key, know_caller
from makegood_adapters.queue_manager.functions import Functions
from makegood_adapters.queue_manager.inputs import Inputs
from makegood_adapters.queue_manager.internal import InternalCalls
from makegood_adapters.queue_manager.old_hooks import old_hook_routes
from makegood_adapters.queue_manager.procedures import Procedures
from makegood_adapters.queue_manager.public import NAME, PublicCalls, queue_manager_routes
from makegood_adapters.queue_manager.realtime import realtime_app
from makegood_adapters.queue_manager.realtime_callers import Admission
from makegood_adapters.queue_manager.realtime_rows import Changes
from makegood_adapters.queue_manager.realtime_socket import House, SocketLimits
from makegood_adapters.queue_manager.reports import FinishQueued, Reports
from makegood_adapters.queue_manager.rows import Rows, public_schema, row_error
from makegood_adapters.queue_manager.runs import Runs
from makegood_adapters.queue_manager.storage import Storage, storage_error
from makegood_adapters.queue_manager.tables import Tables

# What the client library sends to functions, rows and storage from the same page.
_HEADERS = (
    "authorization",
    "x-client-info",
    "apikey",
    "content-type",
    "x-supabase-client-platform",
    "x-supabase-client-platform-version",
    "x-supabase-client-runtime",
    "x-supabase-client-runtime-version",
    "accept-profile",
    "content-profile",
    "prefer",
    "range",
    "x-upsert",
    "cache-control",
)
# What a page that saves a file may read of the answer.
_EXPOSED = ("Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Retry-After")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a deployment decides.

    `gate` tells users by their verified tokens, and only they may insert and read, each their own rows; None:
    whoever calls is believed to be the user that the body names. `public_key` is the publishable key that
    every call must bring, unless a user's token says more; None for no check. With
    `finish_queued="settle"` a client's "failed" ends a job that waits in the queue, credits back;
    where strangers may learn job ids it is "record", and then such a report is only kept. `origins`
    are the pages that may call.

    `base_url` is the address of this service as its pages have it, by which an input that a page names is
    known as a file of ours; `buckets` are those into which pages put files, `files` what bounds them and
    signs the addresses of results. A reader of a file that takes nothing for `write_seconds` is cut off.
    `sockets` bounds what is open to pages that listen.
    """

    gate: Gate | None = None
    public_key: str | None = None
    finish_queued: FinishQueued = "settle"
    origins: Sequence[str] = ("*",)
    base_url: str | None = None
    buckets: Sequence[str] = ("artes-cloudinary",)
    files: FileRules = field(default_factory=FileRules)
    write_seconds: float = WRITE_SECONDS
    sockets: SocketLimits = field(default_factory=SocketLimits)


def mount(
    app: web.Application, engine: Engine, options: Options | None = None, *, hub: Hub | None = None
) -> None:
    """Add `/functions/v1`, `/rest/v1`, `/storage/v1` and `/realtime/v1` to *app*.

    The job types on offer are those of the engine's catalog that name a `table`. *hub* is the reader of the
    stream that the process has already; left out: one of its own.
    """
    options = options or Options()
    tables = Tables(engine)
    reports = Reports(engine, options.finish_queued)
    addresses = Addresses(
        engine, base_url=options.base_url, buckets=options.buckets, link_secret=options.files.link_secret
    )
    app.add_routes(old_hook_routes(engine, options.gate))
    runs = Runs(engine, tables, Inputs(engine, addresses, options.files))
    manager = _part(options, error_object)
    asked, ordered = PublicCalls(engine, tables, reports), InternalCalls(engine, tables, runs)
    manager.add_routes(queue_manager_routes({**asked.endpoints, **ordered.endpoints}))
    app.add_subapp(f"/functions/v1/{NAME}", manager)
    app.add_subapp("/functions/v1", _functions(engine, tables, addresses, runs, options))
    rows = _part(options, row_error)
    rows.middlewares.append(public_schema)
    rows.add_routes([web.post("/rpc/{name}", Procedures(engine, tables, reports).call)])
    rows.add_routes(Rows(engine, tables, reports, addresses, options.gate).routes())
    app.add_subapp("/rest/v1", rows)
    app.add_subapp("/storage/v1", _storage(engine, addresses, options))
    house = House(engine, tables, hub or Hub(engine), Changes(engine, addresses), options.sockets)
    admission = Admission(gate=options.gate, public_key=options.public_key, origins=options.origins)
    app.add_subapp("/realtime/v1", realtime_app(house, admission))


def _part(options: Options, shape: Shape) -> web.Application:
    app = web.Application(middlewares=[contain_errors(shape), _known(options)])
    Cors(origins=options.origins, headers=_HEADERS).install(app)
    return app


def _storage(engine: Engine, addresses: Addresses, options: Options) -> web.Application:
    storage = Storage(
        engine,
        addresses,
        buckets=options.buckets,
        rules=options.files,
        known=_known(options),
        gate=options.gate,
        write_seconds=options.write_seconds,
    )
    app = web.Application(middlewares=[contain_errors(storage_error)])
    app.add_routes(storage.routes())
    methods = ("GET", "HEAD", "POST", "PUT", "OPTIONS")
    Cors(origins=options.origins, methods=methods, headers=_HEADERS, exposed=_EXPOSED).install(app)
    return app


def _functions(
    engine: Engine, tables: Tables, addresses: Addresses, runs: Runs, options: Options
) -> web.Application:
    functions = Functions(engine, tables, addresses, runs, rules=options.files, gate=options.gate)
    # They count by themselves: who runs too often is told so in a reply that the page understands.
    known = _known(options, count=False, code="INVALID_TOKEN")
    app = web.Application(middlewares=[contain_errors(error_object), known])
    app.add_routes(functions.routes())
    Cors(origins=options.origins, headers=_HEADERS).install(app)
    return app


def _known(options: Options, *, count: bool = True, code: str | None = None) -> Middleware:
    if options.gate is None:
        return demand_public_key(options.public_key)
    return know_caller(options.gate, demand_key=options.public_key is not None, count=count, code=code)
