"""The stage over HTTP: what it shows, and its buttons, for pages of this machine alone."""

from aiohttp import web

from makegood_adapters.cli.staging.board import Board, Busy, UnknownButton
from makegood_adapters.http.aiohttp_app import request_of
from makegood_adapters.http.local import is_local

#: A header that no form of another site can send, and no script of one without being allowed to.
HEADER = "Makegood-Stage"
#: How long a page may wait for what is new.
WAIT_SECONDS = 20.0


def stage_routes(board: Board) -> list[web.RouteDef]:
    """Return `GET /stage`, with `after=version` once there is something new, and `POST /stage/{button}`."""

    async def show(request: web.Request) -> web.Response:
        if refused := _refusal(request):
            return refused
        after = request.query.get("after", "")
        if not after:
            return web.json_response(board.shown())
        if not after.isascii() or not after.isdigit() or len(after) > 15:
            return _told(400, f"after {after[:40]!r} is no version: give the one that was shown last.")
        return web.json_response(await board.news(int(after), WAIT_SECONDS))

    async def press(request: web.Request) -> web.Response:
        if refused := _refusal(request):
            return refused
        try:
            return web.json_response({"text": await board.press(request.match_info["button"])})
        except UnknownButton as error:
            return _told(404, str(error))
        except Busy as error:
            return _told(409, str(error))

    return [web.get("/stage", show), web.post("/stage/{button}", press)]


def _refusal(request: web.Request) -> web.Response | None:
    """Return the answer to whoever is not a page of this machine, None for one that is."""
    if request.headers.get(HEADER) != "1":
        return _told(403, f"The stage answers its own page alone: send the header {HEADER}: 1.")
    if not is_local(request_of(request)):
        return _told(403, "The stage is for this machine alone: open it as http://127.0.0.1.")
    return None


def _told(status: int, text: str) -> web.Response:
    return web.json_response({"text": text}, status=status)
