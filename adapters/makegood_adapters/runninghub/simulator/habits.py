"""How the whole simulated site behaves where RunningHub was seen to behave in several ways."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from makegood_adapters.runninghub.simulator.faults import Reason, Seconds
from makegood_adapters.runninghub.simulator.plain import CHECKED, read

CancelWord = Literal["CANCEL", "CANCELED", "CANCELLED"]

_DAY_SECONDS = 24 * 60 * 60.0


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Habits:
    """The variants of the wire and of the site's rules; each default is what the documentation says.

    **Words and types.** `pending` is how v1 outputs tells a task that is not over: codes 813 and
    804, the same words with code 0, or code 0 without data while it runs. `cancel_word` is the
    spelling of the cancelled state. `ids` and `codes` are text or number; codes are by default
    numbers on v1 and text on v2. `msg` is the text of a success: as each page shows it, or always
    the same. `status_object` wraps the reply of v1 status as resellers do. `failed_reason` and
    `cancelled_reason` are what comes with code 805 for a failure and for a cancelled task.
    `traceback` is a list or a text on v2. `numbers` is the type of durations and bills.
    `unknown_code` is v2's code for a task that does not exist, `cancel_unknown_code` that of
    cancelling one. `upload_code` and `upload_name` are
    how v2 tells a stored file.

    **Rules.** `first_state` is the state in which a task is accepted; RUNNING skips the queue.
    `webhook_on_cancel`: whether a cancelled task sends one. `unseen_seconds` is how long a new task
    is unknown to all reads. `queue_places` is how many tasks of an account may wait beyond its
    limit; `personal_queue_places` how many of an exclusive key that asks for its personal queue.
    `site_tasks_max` is the site's own limit, over all accounts. `reported_limit` is what
    queue/status says if not the truth. `url_seconds` is how long a file's address works.
    `private_uploads`: whether a file can only be used by the account that uploaded it.
    `upload_bytes_per_second` is how fast a file is taken in; None: as fast as it comes.
    `foreign_key_code` is the answer to a key of the other site.
    """

    pending: Literal["codes", "msg_only", "null_data"] = "codes"
    cancel_word: CancelWord = "CANCEL"
    ids: Literal["text", "number"] = "text"
    codes: Literal["usual", "text", "number"] = "usual"
    msg: Literal["as_shown", "lower", "upper", "empty"] = "as_shown"
    status_object: bool = False
    failed_reason: Reason = "given"
    cancelled_reason: Reason = "empty"
    traceback: Literal["list", "text"] = "list"
    numbers: Literal["text", "number"] = "text"
    unknown_code: Literal["1004", "1007"] = "1004"
    cancel_unknown_code: Literal["807", "423"] = "807"
    upload_code: Literal[0, 200] = 0
    upload_name: Literal["fileName", "filename"] = "fileName"
    first_state: Literal["CREATE", "QUEUED", "RUNNING"] = "QUEUED"
    webhook_on_cancel: bool = False
    unseen_seconds: Seconds = 0.0
    queue_places: Annotated[int, Field(ge=0)] = 0
    personal_queue_places: Annotated[int, Field(ge=0)] = 1000
    site_tasks_max: Annotated[int, Field(ge=0)] | None = None
    reported_limit: Annotated[int, Field(ge=0)] | None = None
    url_seconds: Seconds = _DAY_SECONDS
    private_uploads: bool = False
    upload_bytes_per_second: Annotated[float, Field(gt=0)] | None = None
    foreign_key_code: Literal["401", "802", "806", "1002"] = "401"

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read an object with the fields to change; raises ValueError with a sentence."""
        return read(cls, value)
