"""A file of ours as an answer: in pieces, in part, or not at all where the client has it already.

A file that a stranger has made must never run as a page of ours, whatever it is: its type is one of a fixed
list, `nosniff` keeps browsers from guessing another, and what is opened by itself is opened in a sandbox.
"""

import logging
import re
from collections.abc import Mapping

from makegood.media import TEXTS
from makegood.ports import Blobs
from makegood_adapters.http.operation import Reply, Request
from makegood_adapters.http.problems import ApiProblem

log = logging.getLogger("makegood.http")

_BYTES = "application/octet-stream"
#: By kind, as results and uploads have it. What browsers run, such as svg and html, is text or bytes.
_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("png", "apng"), "image/png"),
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif"), "image/jpeg"),
    **dict.fromkeys(("tiff", "tif"), "image/tiff"),
    **dict.fromkeys(("heic", "heif"), "image/heic"),
    **{kind: f"image/{kind}" for kind in ("gif", "webp", "bmp", "avif")},
    **dict.fromkeys(("mp4", "m4v"), "video/mp4"),
    **dict.fromkeys(("mov", "qt"), "video/quicktime"),
    **dict.fromkeys(("mkv", "mka"), "video/x-matroska"),
    "webm": "video/webm",
    "weba": "audio/webm",
    "avi": "video/x-msvideo",
    "ogv": "video/ogg",
    **dict.fromkeys(("ogg", "oga", "opus"), "audio/ogg"),
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    **dict.fromkeys(TEXTS, "text/plain; charset=utf-8"),
    "glb": "model/gltf-binary",
    "zip": "application/zip",
}
_SHOWN = ("image/", "video/", "audio/")
_KIND = re.compile(r"[a-z0-9]{1,8}")
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


async def deliver(blobs: Blobs, request: Request, *, key: str, kind: str, name: str, tag: str) -> Reply:
    """Return the file of *key*; it is saved as *name* with an extension, and *tag* stands for its content.

    Raises ApiProblem("range_not_satisfiable"), and ApiProblem("not_found") for a file that is gone.
    """
    told = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Accept-Ranges": "bytes"}
    if _has_it(request.headers.get("if-none-match", ""), told["ETag"]):
        return Reply(304, headers=told)
    size = await blobs.size(key)
    if size is None:
        log.error("the file %s is not in our storage, and somebody has asked for it", key)
        raise ApiProblem("not_found", "The file is no longer in our storage.")
    media_type = _TYPES.get(kind, _BYTES)
    shown = "inline" if media_type.startswith(_SHOWN) else "attachment"
    extension = kind if _KIND.fullmatch(kind) else "bin"
    told |= {
        "Content-Disposition": f'{shown}; filename="{name}.{extension}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
        "Referrer-Policy": "no-referrer",
    }
    status, start, end = 200, 0, size
    if part := _part(request.headers, told["ETag"], size):
        status, (start, end) = 206, part
        told["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    told["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        end = start
    return Reply(status, media_type, blobs.read(key, start, end), told)


def _has_it(asked: str, tag: str) -> bool:
    """Whether the client has the content already (RFC 9110, 13.1.2)."""
    tags = [each.strip().removeprefix("W/") for each in asked.split(",")]
    return tag in tags or tags == ["*"]


def _part(headers: Mapping[str, str], tag: str, size: int) -> tuple[int, int] | None:
    """Return where the part begins and ends that is asked for; None: the whole, also for several parts and
    for what is no range (RFC 9110, 14.2)."""
    match = _RANGE.fullmatch(headers.get("range", "").strip())
    if match is None or headers.get("if-range", tag).strip() != tag:
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    elif last:
        start, end = max(size - int(last), 0), size
    else:
        return None
    if start >= end:
        raise ApiProblem(
            "range_not_satisfiable",
            f"The file has {size:,} bytes.",
            headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"},
        )
    return start, end
