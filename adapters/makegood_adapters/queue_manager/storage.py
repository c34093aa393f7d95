"""`/storage/v1/object/…`: files that pages bring for their users, and files that anybody reads by address."""

import base64
import re
from collections.abc import AsyncIterator, Collection
from uuid import NAMESPACE_URL, uuid5

from aiohttp import BodyPartReader, ClientError, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from makegood.engine import Engine
from makegood.errors import FileTooLarge, InvalidRequest, UnknownFile
from makegood.ports import PIECE_BYTES, Upload
from makegood_adapters.http.aiohttp_app import Clients, answer, request_of
from makegood_adapters.http.application import Refused
from makegood_adapters.http.callers import Gate, joined
from makegood_adapters.http.pace import steady
from makegood_adapters.http.problems import ApiProblem, problem_of
from makegood_adapters.http.v1.delivery import deliver
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.queue_manager.addresses import Addresses, Place
from makegood_adapters.queue_manager.callers import caller_of, storing_owner

#: What a form may have beside its file: boundaries, heads of parts, and small fields.
_FORM_BYTES_MAX = 64 * 1024
_FIELDS_MAX = 10
#: Of a file that comes as text inside a request, which is in memory as a whole.
BASE64_BYTES_MAX = 10_000_000
_DATA_URL = re.compile(r"data:[A-Za-z0-9.+/-]{0,100};base64,")
_CREDENTIALS = ("authorization", "apikey")
# The last two are what aiohttp raises over a field that is called `_charset_`.
_UNREADABLE = (
    ClientError,
    HttpProcessingError,
    ValueError,
    web.RequestPayloadError,
    AssertionError,
    RuntimeError,
)
_ERRORS = {
    400: "InvalidRequest",
    401: "Unauthorized",
    403: "Unauthorized",
    404: "not_found",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "Duplicate",
    413: "Payload too large",
    415: "invalid_mime_type",
    416: "InvalidRange",
    429: "RateLimited",
    503: "ServiceUnavailable",
}
# What pages may look for in a message.
_WORDS = {409: "The resource already exists.", 413: "The object exceeded the maximum allowed size."}


def storage_error(refused: Refused) -> web.Response:
    """Return the refusal as the storage API does: `{statusCode, error, message}`."""
    error = refused.code or _ERRORS.get(refused.status, "InternalError")
    body = {"statusCode": str(refused.status), "error": error, "message": refused.message}
    return web.json_response(body, status=refused.status)


class Storage:
    """Takes files under `{bucket}/{folder}/{user}/{file}` from that user, and hands out by address.

    *known* tells who brings a file. Whoever has an address reads, without credentials, since an `<img>` sends
    none; *gate* counts how often. *write_seconds* is how long a reader may take nothing.
    """

    def __init__(
        self,
        engine: Engine,
        addresses: Addresses,
        *,
        buckets: Collection[str],
        rules: FileRules,
        known: Middleware,
        gate: Gate | None,
        write_seconds: float,
    ) -> None:
        self._engine, self._addresses, self._rules = engine, addresses, rules
        self._buckets, self._known, self._gate = frozenset(buckets), known, gate
        self._clients, self._write_seconds = Clients(), write_seconds

    def routes(self) -> list[web.RouteDef]:
        """Return the routes below `/storage/v1`."""
        return [
            web.get("/object/public/{bucket}/{path:.+}", self.read),
            web.get("/object/results/{name}", self.read_result),
            web.post("/object/{bucket}/{path:.+}", self.bring),
            web.put("/object/{bucket}/{path:.+}", self.bring),
        ]

    async def bring(self, request: web.Request) -> web.StreamResponse:
        """Keep the body, or the file in it if it is a form, under the path.

        A path that is taken is refused, unless `x-upsert: true` or PUT says that the file there be replaced;
        jobs that were ordered with that one keep it.
        """
        return await self._known(request, _telling(self._bring))

    async def read(self, request: web.Request) -> web.StreamResponse:
        """Return a file that a user has brought."""
        return await _telling(self._read)(request)

    async def read_result(self, request: web.Request) -> web.StreamResponse:
        """Return a result, as `Addresses.of_result` tells its address."""
        return await _telling(self._read_result)(request)

    async def _bring(self, request: web.Request) -> web.StreamResponse:
        place = self._place(request)
        if storing_owner(request, place.owner) != place.owner:
            raise Refused(403, "A user's files lie in a folder of the user's own: {bucket}/{folder}/{user}/…")
        caller = caller_of(request)
        if self._gate is not None and caller is not None:
            await self._gate.admit(caller, "uploads")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(415, "Send the file as it is, without a Content-Encoding.")
        rules, size = self._rules, request.content_length
        is_form = request.content_type == "multipart/form-data"
        if size is not None and size > rules.upload_bytes_max + (_FORM_BYTES_MAX if is_form else 0):
            raise FileTooLarge(rules.upload_bytes_max)
        content = _file_of(request) if is_form else request_of(request).chunks
        await self._engine.bring(
            place.owner,
            steady(content, bytes_min=rules.stall_bytes, seconds=rules.stall_seconds),
            # The length of a form is no less than that of its file, which is what is set aside.
            size=None if size is None else min(size, rules.upload_bytes_max),
            bytes_max=rules.upload_bytes_max,
            day_bytes_max=rules.day_bytes_max,
            name=place.name,
            replace=request.method == "PUT" or request.headers.get("x-upsert", "").lower() == "true",
        )
        return web.json_response({"Key": place.name, "Id": str(uuid5(NAMESPACE_URL, place.name))})

    async def _read(self, request: web.Request) -> web.StreamResponse:
        await self._count(request)
        place = self._place(request)
        upload = await self._engine.named(place.owner, place.name)
        if upload is None:
            raise Refused(404, "Object not found")
        name = upload.key.partition(".")[0]
        return await self._deliver(request, upload.key, upload.kind, name, upload.key)

    async def _read_result(self, request: web.Request) -> web.StreamResponse:
        await self._count(request)
        try:
            job, number = await self._addresses.result_at(request.match_info["name"])
            file = await self._engine.result(job, number)
        except UnknownFile:
            raise Refused(404, "This address leads nowhere, or its time is over.") from None
        tag, name = file.get("sha256") or file["key"], f"{job.id}-{number}"
        return await self._deliver(request, file["key"], str(file.get("kind", "")), name, tag)

    async def _deliver(
        self, request: web.Request, key: str, kind: str, name: str, tag: str
    ) -> web.StreamResponse:
        asked = request_of(request)
        reply = await deliver(self._engine.blobs, asked, key=key, kind=kind, name=name, tag=tag)
        return await answer(request, reply, self._clients, self._write_seconds)

    async def _count(self, request: web.Request) -> None:
        """Count a reader by its address alone: what else it sends opens nothing here."""
        if self._gate is None:
            return
        headers = {n: v for n, v in joined(request.headers.items()).items() if n not in _CREDENTIALS}
        # A page of many pictures must not use up what the calls of its buttons need.
        await self._gate.admit(await self._gate.identify(headers, request.remote or ""), "downloads")

    def _place(self, request: web.Request) -> Place:
        bucket = request.match_info["bucket"]
        if bucket not in self._buckets:
            raise Refused(404, "Bucket not found")
        place = Place.of(bucket, _path(request))
        if place is None:
            raise Refused(
                400,
                "The path is written {bucket}/{folder}/{user}/{file}, without `..`, encoded slashes, or "
                "characters that cannot be seen.",
                code="InvalidKey",
            )
        return place


async def bring_base64(
    engine: Engine, owner: str, text: object, rules: FileRules, *, bytes_max: int = BASE64_BYTES_MAX
) -> Upload:
    """Keep a file of the owner that came as base64 inside a request, with or without `data:…;base64,`.

    It is decoded piece by piece, and told by its bytes as every file is. Raises InvalidRequest for what is no
    base64, and what `Engine.bring` raises.
    """
    if not isinstance(text, str) or not text:
        raise InvalidRequest("There is no file: it is sent as base64 text. Nothing was kept.")
    if mark := _DATA_URL.match(text):
        text = text[mark.end() :]
    bytes_max = min(bytes_max, rules.upload_bytes_max)
    size = len(text) // 4 * 3 - text[-2:].count("=")
    if size > bytes_max:
        raise FileTooLarge(bytes_max)
    return await engine.bring(
        owner, _unpacked(text), size=size, bytes_max=bytes_max, day_bytes_max=rules.day_bytes_max
    )


async def _unpacked(text: str) -> AsyncIterator[bytes]:
    step = PIECE_BYTES // 3 * 4
    try:
        for place in range(0, len(text), step):
            piece = text[place : place + step]
            if "=" in piece and place + step < len(text):
                raise ValueError
            yield base64.b64decode(piece.encode("ascii"), validate=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are
        raise InvalidRequest("The file is no base64. Nothing was kept.") from None


async def _file_of(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the file in a form: the first part that has no name, or the name of a file.

    The page's library sends `cacheControl` in front of it. What follows the file is not looked at.
    """
    try:
        part = await _file_part(request)
        while not part.at_eof():
            if piece := await part.read_chunk(PIECE_BYTES):
                yield piece
    except _UNREADABLE:
        raise Refused(400, "The form could not be read to its end.") from None


async def _file_part(request: web.Request) -> BodyPartReader:
    parts = await request.multipart()
    for _ in range(_FIELDS_MAX):
        part = await parts.next()
        if part is None:
            break
        if not isinstance(part, BodyPartReader):
            raise Refused(400, "The form has a form in it.")
        if not part.name or part.filename is not None:
            return part
    raise Refused(400, "The form has no file in it: a part without a name, or with the name of a file.")


def _path(request: web.Request) -> str:
    """Return what stands for `{path}` in the address, as it was sent: aiohttp decodes it in its own way."""
    resource = request.match_info.route.resource
    assert resource is not None, "a route with a path has one"
    place = resource.canonical.split("/").index("{path}")
    return request.rel_url.raw_path.split("/", place)[place]


def _telling(handler: Handler) -> Handler:
    """Let *handler* tell a problem as every refusal of this address space is told."""

    async def told(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (ApiProblem, InvalidRequest) as error:
            problem = problem_of(error)
            words = [_WORDS.get(problem.status), problem.detail or problem.title]
            raise Refused(problem.status, " ".join(filter(None, words)), headers=problem.headers) from None

    return told
