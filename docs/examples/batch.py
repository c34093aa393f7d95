"""A batch of pictures: the price of all is held, and only what comes is paid."""

from typing import Any

from pydantic import Field

from makegood import BaseJob, Completion, Event, Job, JobInput


class Batch(BaseJob):
    """The first picture costs 25 credits, each further one 20."""

    class Input(JobInput):
        prompt: str
        count: int = Field(ge=1, le=50)

    @classmethod
    def price_of(cls, value: Any) -> int:
        return 5 + 20 * int(value.count)

    @classmethod
    def delivered(cls, job: Job, files: Any) -> tuple[Event[Completion], Completion]:
        earned = job.price * len(files) // job.input["count"]
        return cls.complete, Completion(output={"files": files}, earned=earned)
