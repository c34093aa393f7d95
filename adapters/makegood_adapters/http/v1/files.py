"""Files of an owner: what is brought for a job, and what a job has delivered."""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import Field

from makegood.errors import UnknownFile, UnknownJob
from makegood.job import Job
from makegood_adapters.http.operation import Access, Call, Op, Reply, Sends
from makegood_adapters.http.pace import steady
from makegood_adapters.http.problems import ApiProblem
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked
from makegood_adapters.http.v1.delivery import deliver
from makegood_adapters.http.v1.links import read, sign
from makegood_adapters.http.v1.views import View

_LINK_SECONDS, _LINK_SECONDS_MAX = 3_600, 7 * 86_400
_RESULT = {"job_id": UUID, "number": int}


class UploadView(View):
    """A file that its owner may use: `key` is what an input names. `kind` is what its first bytes show."""

    key: str
    kind: str
    size: int
    brought_at: datetime


class BroughtView(UploadView):
    """A file as it has come, with the SHA-256 of its content in hexadecimal."""

    sha256: str


class LinkAsked(Asked):
    """How long a link shall lead to its file."""

    seconds: int = Field(default=_LINK_SECONDS, ge=1, le=_LINK_SECONDS_MAX)


class LinkView(View):
    """A link: `path`, below this API, leads to the file without credentials until it expires."""

    path: str
    expires_at: datetime


async def bring_file(api: Api, call: Call) -> BroughtView:
    """Keep the body as a file of the owner. It comes by itself, not in a form, and under no name: what it is
    its first bytes tell."""
    rules, headers = api.files, call.request.headers
    if headers.get("content-type", "").lower().startswith("multipart/"):
        raise ApiProblem(
            "unsupported_media",
            "Send the file itself as the body, not a form: `fetch(url, {method: 'POST', body: file})`.",
        )
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ApiProblem("unsupported_media", "Send the file as it is, without a Content-Encoding.")
    length = headers.get("content-length")
    digest = hashlib.sha256()
    upload = await api.engine.bring(
        call.for_owner,
        _hashed(
            steady(call.request.chunks, bytes_min=rules.stall_bytes, seconds=rules.stall_seconds), digest
        ),
        size=int(length) if length else None,
        bytes_max=rules.upload_bytes_max,
        day_bytes_max=rules.day_bytes_max,
    )
    return BroughtView(
        key=upload.key,
        kind=upload.kind,
        size=upload.size,
        brought_at=upload.brought_at,
        sha256=digest.hexdigest(),
    )


async def get_file(api: Api, call: Call, key: str) -> Reply:
    """Return a file that the owner has brought."""
    upload = (await api.engine.brought(call.for_owner, [key])).get(key)
    if upload is None:
        raise UnknownFile(key)
    name = upload.key.partition(".")[0]
    return await deliver(
        api.engine.blobs, call.request, key=upload.key, kind=upload.kind, name=name, tag=upload.key
    )


async def get_job_file(api: Api, call: Call, job_id: UUID, number: int) -> Reply:
    """Return a result file of the job."""
    return await result_file(api, call, await api.job_of(call.for_owner, job_id), number)


async def reuse_job_file(api: Api, call: Call, job_id: UUID, number: int) -> UploadView:
    """Make a result file of the job one that the owner may use, as if it had brought it."""
    upload = await api.engine.reuse(await api.job_of(call.for_owner, job_id), number)
    return UploadView(key=upload.key, kind=upload.kind, size=upload.size, brought_at=upload.brought_at)


async def link_job_file(api: Api, call: Call, job_id: UUID, number: int, query: LinkAsked) -> LinkView:
    """Return an address of the result file that works without credentials for a while."""
    job = await api.job_of(call.for_owner, job_id)
    await api.engine.result(job, number)
    if api.files.link_secret is None:
        raise ApiProblem(
            "not_configured", "This service gives no links: its operator has set no link_secret."
        )
    until = (await api.engine.now()).replace(microsecond=0) + timedelta(seconds=query.seconds)
    token = sign(api.files.link_secret, job.id, number, until)
    return LinkView(path=f"/links/{token}", expires_at=until)


async def get_link(api: Api, call: Call, token: str) -> Reply:
    """Return the file that a link leads to."""
    secret = api.files.link_secret
    what = read(secret, token, await api.engine.now()) if secret else None
    if what is None:
        raise ApiProblem("not_found", "This link leads nowhere, or its time is over.")
    try:
        return await result_file(api, call, await api.engine.get(what[0]), what[1])
    except (UnknownJob, UnknownFile):
        raise ApiProblem("not_found", "This link leads nowhere, or its time is over.") from None


async def result_file(api: Api, call: Call, job: Job, number: int) -> Reply:
    """Return a result file of the job."""
    file = await api.engine.result(job, number)
    tag, name = file.get("sha256") or file["key"], f"{job.id}-{number}"
    kind = str(file.get("kind", ""))
    return await deliver(api.engine.blobs, call.request, key=file["key"], kind=kind, name=name, tag=tag)


async def _hashed(pieces: AsyncIterator[bytes], digest: "hashlib._Hash") -> AsyncIterator[bytes]:
    async for piece in pieces:
        digest.update(piece)
        yield piece


OPERATIONS: tuple[Op, ...] = (
    Op(
        method="POST",
        path="/files",
        name="bring_file",
        summary="Bring a file for the input of a job",
        run=bring_file,
        out=BroughtView,
        status=201,
        takes_file=True,
        cost="uploads",
        codes=("invalid_request", "unsupported_media", "uploads_exhausted"),
        tag="files",
    ),
    Op(
        method="GET",
        path="/files/{key}",
        name="get_file",
        summary="A file that the owner has brought",
        run=get_file,
        sends=Sends.FILE,
        codes=("range_not_satisfiable",),
        tag="files",
    ),
    Op(
        method="GET",
        path="/jobs/{job_id}/files/{number}",
        name="get_job_file",
        summary="A result file of a job, whole or in part",
        run=get_job_file,
        sends=Sends.FILE,
        codes=("range_not_satisfiable",),
        path_types=_RESULT,
        tag="files",
    ),
    Op(
        method="POST",
        path="/jobs/{job_id}/files/{number}/reuse",
        name="reuse_job_file",
        summary="Let a result be the input of another job",
        run=reuse_job_file,
        out=UploadView,
        codes=("unsupported_media",),
        path_types=_RESULT,
        tag="files",
    ),
    Op(
        method="POST",
        path="/jobs/{job_id}/files/{number}/link",
        name="link_job_file",
        summary="An address of a result file that works without credentials for a while",
        run=link_job_file,
        query=LinkAsked,
        out=LinkView,
        codes=("not_configured",),
        path_types=_RESULT,
        tag="files",
    ),
    Op(
        method="GET",
        path="/links/{token}",
        name="get_link",
        summary="The file that a link leads to",
        run=get_link,
        who=Access.OPEN,
        sends=Sends.FILE,
        cost="downloads",
        codes=("range_not_satisfiable",),
        tag="files",
    ),
)
