"""The API keys of the simulated site, whose they are, and what their accounts hold."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from makegood_adapters.runninghub.simulator.plain import CHECKED, read

Site = Literal["cn", "ai"]
KeyType = Literal["NORMAL", "SHARED", "EXCLUSIVE"]


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Account:
    """What one key may do. `limit` is how many of its tasks may be live at once.

    `coins` is what is there to spend, 0.2 a second of work, billed when a task ends; `money` is the
    balance of an enterprise key in whole units, None for a consumer. `type` is the kind of key:
    SHARED ones may use standard models, EXCLUSIVE ones have a personal queue. Keys with the same
    `owner` are one account: limit, balance, tasks and uploads are theirs together, those of the
    key that is named first; left out, every key is an account of its own. `site` is where the key
    is valid; None is every site. `bearer_only` refuses v1 calls that carry the key in their body,
    as it was seen with wallet keys.
    """

    limit: Annotated[int, Field(ge=0)] = 1
    coins: Annotated[int, Field(ge=0)] = 99_999
    money: Annotated[int, Field(ge=0)] | None = None
    type: KeyType = "NORMAL"
    owner: str | None = None
    site: Site | None = None
    bearer_only: bool = False

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read an object; raises ValueError with a sentence."""
        return read(cls, value)
