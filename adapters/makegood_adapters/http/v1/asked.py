"""What `/v1` takes: the base of bodies and queries."""

from pydantic import BaseModel, ConfigDict


class Asked(BaseModel):
    """Unknown fields are an error, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)
