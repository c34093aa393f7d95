"""The stage over HTTP: what it shows, and its buttons, for pages of this machine alone."""

from aiohttp import web

from makegood_adapters.cli.staging.board import Board, Busy, UnknownButton
from makegood_adapters.http.aiohttp_app import request_of
from makegood_adapters.http.local import is_local

_JSON = "application/json"


def stage_routes(board: Board) -> list[web.RouteDef]:
    """Return `GET /stage` and `POST /stage/{button}`, which takes JSON alone: no form of another site can
    send that, and no script of one without being allowed to."""

    async def show(request: web.Request) -> web.Response:
        return _refusal(request) or web.json_response(board.shown())

    async def press(request: web.Request) -> web.Response:
        if refused := _refusal(request):
            return refused
        if request.content_type != _JSON:
            return _told(415, f"A button is pressed with Content-Type: {_JSON}.")
        try:
            return web.json_response({"text": await board.press(request.match_info["button"])})
        except UnknownButton as error:
            return _told(404, str(error))
        except Busy as error:
            return _told(409, str(error))

    return [web.get("/stage", show), web.post("/stage/{button}", press)]


def _refusal(request: web.Request) -> web.Response | None:
    """Return the answer to whoever is not a page of this machine, None for one that is."""
    if not is_local(request_of(request)):
        return _told(403, "The stage is for this machine alone: open it as http://127.0.0.1.")
    return None


def _told(status: int, text: str) -> web.Response:
    return web.json_response({"text": text}, status=status)
