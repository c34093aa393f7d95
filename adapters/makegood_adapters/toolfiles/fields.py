"""The kinds of inputs that a tool file may have, as strict tables."""

from typing import Annotated, Literal

from pydantic import Field

from makegood.jobtype import MEGABYTE
from makegood_adapters.toolfiles.conditions import Scalar, WhenField
from makegood_adapters.toolfiles.elements import Table

LENGTH_MAX = 100_000
COUNT_MAX = 50
# Beyond this JSON numbers lose digits.
NUMBER_MAX = 2**53

_Text = Annotated[str, Field(min_length=1)]


class InputTable(Table):
    """What every kind of input has."""

    kind: str
    required: bool = False
    needed_when: WhenField | None = None

    @property
    def fallback(self) -> Scalar | None:
        """The default; None also for the kinds that cannot have one."""
        found: Scalar | None = getattr(self, "default", None)
        return found

    @property
    def may_be_missing(self) -> bool:
        """Whether a job may have no value here."""
        return not self.required and self.fallback is None


class FileTable(InputTable):
    """A file of ours, brought to the provider before the call; with `count_max` a list of files."""

    formats: tuple[str, ...]
    size_max_bytes: int = Field(default=30 * MEGABYTE, gt=0, le=30 * MEGABYTE)
    count_min: int = Field(default=1, ge=1, le=COUNT_MAX)
    count_max: int | None = Field(default=None, ge=1, le=COUNT_MAX)

    @property
    def is_list(self) -> bool:
        """Whether the input holds a list of files."""
        return self.count_max is not None

    def may_lack(self, index: int | None) -> bool:
        """Whether a job may have no file here, or, in a list, none at the place *index*."""
        return self.may_be_missing or (index is not None and index >= self.count_min)


class ImageInput(FileTable):
    """A picture."""

    kind: Literal["image"]
    formats: Annotated[tuple[Literal["png", "jpeg", "webp"], ...], Field(strict=False, min_length=1)] = (
        "png",
        "jpeg",
        "webp",
    )


class VideoInput(FileTable):
    """A video."""

    kind: Literal["video"]
    formats: Annotated[tuple[Literal["mp4", "webm", "mov"], ...], Field(strict=False, min_length=1)] = (
        "mp4",
        "webm",
        "mov",
    )


class AudioInput(FileTable):
    """A sound."""

    kind: Literal["audio"]
    formats: Annotated[tuple[Literal["mp3", "wav", "m4a"], ...], Field(strict=False, min_length=1)] = (
        "mp3",
        "wav",
        "m4a",
    )


class TextInput(InputTable):
    """A text; blank counts as missing, because providers take an empty text for a value."""

    kind: Literal["text"]
    default: str | None = None
    length_max: int = Field(default=2000, gt=0, le=LENGTH_MAX)


class IntegerInput(InputTable):
    """A whole number, `min` to `max`, both included."""

    kind: Literal["integer"]
    default: int | None = None
    min: int = Field(ge=-NUMBER_MAX)
    max: int = Field(le=NUMBER_MAX)


class NumberInput(InputTable):
    """A number, `min` to `max`, both included."""

    kind: Literal["number"]
    default: float | None = Field(default=None, allow_inf_nan=False)
    min: float = Field(ge=-NUMBER_MAX)
    max: float = Field(le=NUMBER_MAX)


class BooleanInput(InputTable):
    """True or false."""

    kind: Literal["boolean"]
    default: bool | None = None


class ChoiceInput(InputTable):
    """One text out of a fixed list; `otherwise` takes the place of a value that is none of them."""

    kind: Literal["choice"]
    default: str | None = None
    otherwise: str | None = None
    choices: Annotated[tuple[_Text, ...], Field(strict=False, min_length=1)]


Input = (
    ImageInput | VideoInput | AudioInput | TextInput | IntegerInput | NumberInput | BooleanInput | ChoiceInput
)
KINDS: dict[str, type[Input]] = {
    "image": ImageInput,
    "video": VideoInput,
    "audio": AudioInput,
    "text": TextInput,
    "integer": IntegerInput,
    "number": NumberInput,
    "boolean": BooleanInput,
    "choice": ChoiceInput,
}
