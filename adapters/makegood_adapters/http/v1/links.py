"""What a deployment decides about files, and the addresses under which a file is read without credentials."""

import base64
import hashlib
import hmac
import re
import struct
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from makegood.filing import DAY_BYTES_MAX, UPLOAD_BYTES_MAX

SECRET_BYTES_MIN = 32
_MADE_FOR = b"makegood link 1\0"
_WHAT = struct.Struct(">16sIQ")  # job, number of the file, last second
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{(_WHAT.size + hashlib.sha256().digest_size) * 4 // 3}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """Bounds of what owners bring, in bytes, and the secret that makes links.

    A body that brings fewer than `stall_bytes` in `stall_seconds` is cut off; a slow one that goes on is not.
    Without `link_secret` there are no links; another one ends all that were given.
    """

    upload_bytes_max: int = UPLOAD_BYTES_MAX
    day_bytes_max: int = DAY_BYTES_MAX
    stall_bytes: int = 16 * 1024
    stall_seconds: float = 20.0
    link_secret: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse a secret that can be tried out."""
        if self.link_secret is not None and len(self.link_secret) < SECRET_BYTES_MIN:
            raise ValueError(f"link_secret must have {SECRET_BYTES_MIN} bytes or more, all of them random")


def sign(secret: bytes, job_id: UUID, number: int, until: datetime) -> str:
    """Return the token that stands for the file until then; nobody without the secret makes one."""
    what = _WHAT.pack(job_id.bytes, number, int(until.timestamp()))
    return base64.urlsafe_b64encode(what + _mac(secret, what)).decode()


def read(secret: bytes, token: str, now: datetime) -> tuple[UUID, int] | None:
    """Return the job and the number of the file that *token* stands for, None if it is none or its time is
    over."""
    if not _TOKEN.fullmatch(token):
        return None
    raw = base64.urlsafe_b64decode(token)
    what, mac = raw[: _WHAT.size], raw[_WHAT.size :]
    if not hmac.compare_digest(mac, _mac(secret, what)):
        return None
    job_id, number, until = _WHAT.unpack(what)
    return None if now.timestamp() > until else (UUID(bytes=job_id), number)


def _mac(secret: bytes, what: bytes) -> bytes:
    return hmac.digest(secret, _MADE_FOR + what, "sha256")
