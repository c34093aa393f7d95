"""Every bound of the engine, with its unit in the name."""

import math
from dataclasses import dataclass, fields

from makegood.buckets import GRACE_SECONDS

#: Without a pause, and without waiting at the end.
_MAY_BE_ZERO = ("defer_seconds", "drain_seconds", "drain_submit_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times in seconds. The defaults suit RunningHub; tests and the demo shorten them."""

    webhook_base_url: str | None = None
    """Address under which the provider reaches us, without a slash at the end; None: poll only."""
    decide_tries_max: int = 5
    """How often an event is decided again after a lost race."""
    snapshots_max: int = 10_000
    """How many of the jobs that this process moved last it remembers, so that it need not read them again."""
    loop_interval_seconds: float = 1.0
    """How long a loop sleeps when nobody wakes it: the poll behind every wake-up."""
    loop_backoff_max_seconds: float = 30.0
    """Longest pause of a loop whose work raises again and again."""
    turn_alarm_seconds: float = 60.0
    """A loop that is longer in one turn hangs: it is told, and `/health` says so."""
    worker_beat_seconds: float = 5.0
    """How often a process writes how it is doing into its row of `makegood.worker`."""
    worker_forgotten_seconds: float = 3600.0
    """When the row of a process that was not seen any more is removed."""
    batch_max: int = 50
    """Rows that a loop takes at a time."""
    submit_timeout_seconds: float = 60.0
    """Longest create call; after it the outcome is uncertain."""
    upload_timeout_seconds: float = 120.0
    """Longest time in which nothing of a job's inputs moves, before their upload is given up."""
    heartbeat_seconds: float = 15.0
    """Shortest time between two renewals of the lease of an upload that moves."""
    lease_seconds: float = 300.0
    """How long a worker owns an attempt; longer than upload and submit together."""
    poll_interval_seconds: float = 5.0
    """Shortest pause between two questions about one task, and each while nothing is learned of its type."""
    poll_interval_max_seconds: float = 60.0
    """Longest such pause, if that is longer, and the longest until a task is first asked about."""
    asks_per_second: float = 100.0
    """Most questions about the tasks of one account, over all processes; what is due beyond them waits."""
    reckon_interval_seconds: float = 5.0
    """Pause between two looks at how long tasks take and how long queues are, by whichever process."""
    ask_timeout_seconds: float = 45.0
    """Longest question to the provider, with the cancel that may go before it."""
    absent_after_seconds: float = 60.0
    """A task unknown to the provider counts as lost only when it is older than this."""
    fetch_timeout_seconds: float = 120.0
    """Longest download of one result file."""
    fetch_again_seconds: float = 2.0
    """First pause after a download that failed; further pauses are a quarter to a half of the time that
    the result has waited, so they grow and are spread, whichever process takes the next try."""
    fetch_again_max_seconds: float = 600.0
    """Longest such pause; RunningHub keeps results for a day."""
    output_bytes_max: int = 500_000_000
    """Largest result file that is brought home."""
    upload_kept_seconds: float = 2_592_000.0
    """How long an owner may use a file after bringing it last; thirty days. The file itself stays."""
    defer_seconds: float = 2.0
    """First pause after the provider could not take a job: of its account if that was full, else of the
    job; it doubles each time."""
    defer_max_seconds: float = 60.0
    """Longest such pause."""
    capacity_grow_seconds: float = 30.0
    """Shortest time in which a capacity that was learned from refusals grows by one."""
    account_refusals_max: int = 3
    """So many refusals of an account's key in a row make it unfit, though each may pass."""
    type_refusals_max: int = 3
    """So many jobs of a type in a row that are refused for what their type asks for close the type."""
    unfit_seconds: float = 300.0
    """First rest of an account that cannot be used, without money for instance; it doubles each time."""
    unfit_max_seconds: float = 3600.0
    """Longest such rest."""
    survey_interval_seconds: float = 60.0
    """Pause between two questions to the provider how an account is doing."""
    count_gap_seconds: float = 10.0
    """Longest time between two counts of an exclusive account's tasks that prove a submission to be lost."""
    count_after_seconds: float = 60.0
    """Such counts go on until so long after the longest create call."""
    count_differs_seconds: float = 600.0
    """How long the provider may count other tasks of an exclusive account than we do before it is told."""
    hook_tries_max: int = 100
    """How often a hook that raises is told of one transition, once a minute, before it is given up."""
    webhook_timeout_seconds: float = 15.0
    """Longest time for a receiver of ours to answer a message; later it counts as failed."""
    webhook_again_seconds: tuple[float, ...] = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
    """Pauses before a message that failed is sent again, each up to a fifth longer by chance; then it has."""
    webhook_failing_seconds: float = 432_000.0
    """An endpoint to which every try failed for so long is disabled."""
    webhook_kept_seconds: float = 2_592_000.0
    """How long a message that is over is kept with its log."""
    webhooks_max: int = 100
    """Messages under way in one process."""
    webhooks_of_endpoint_max: int = 10
    """Messages under way to one endpoint, of all processes; to one that fails it is one."""
    grace_seconds: float = GRACE_SECONDS
    """How long credits live that came back after their bucket had expired; the store keeps it for all."""
    drain_seconds: float = 10.0
    """How long `async with Engine` waits at the end for work in progress; the rest is handed over."""
    drain_submit_seconds: float = 60.0
    """How long it waits for create calls under way, if that is longer: their replies name the tasks."""

    def __post_init__(self) -> None:
        """Refuse bounds that would let a loop spin, stand still or be overtaken by its own lease."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "webhook_base_url":
                continue
            if field.name == "webhook_again_seconds":
                pauses = value if isinstance(value, (tuple, list)) else (value,)
                if not all(0 < pause < math.inf for pause in pauses):
                    raise ValueError(f"{field.name} must be a list of pauses of more than 0, not {value}")
                continue
            if not (value > 0 or (value == 0 and field.name in _MAY_BE_ZERO)):
                raise ValueError(f"{field.name} must be more than 0, not {value}")
            if value == math.inf:
                raise ValueError(f"{field.name} must have an end, not {value}")
        needed = self.upload_timeout_seconds + self.submit_timeout_seconds
        if self.lease_seconds <= needed:
            raise ValueError(
                f"lease_seconds ({self.lease_seconds:g}) must be more than upload_timeout_seconds + "
                f"submit_timeout_seconds ({needed:g}): else another worker takes attempts over"
            )
        url = self.webhook_base_url
        if url is not None and (
            not url.startswith(("http://", "https://")) or url.endswith("/") or set(url) & set("?#")
        ):
            raise ValueError(
                f"webhook_base_url {url!r} must begin with http:// or https://, not end in a slash, and have "
                "no ? or #"
            )
