"""What `/v1` says to people of how things are."""

from collections.abc import Iterable

from makegood.telling import Told, Tone
from makegood_adapters.http.v1.views import View
from makegood_adapters.redaction import Redaction


class ToldView(View):
    """A sentence, or a part of one, for people. It has no marks and no moments, durations alone: `level` is
    for who shows it."""

    level: Tone
    text: str

    @classmethod
    def of(cls, told: Told, redaction: Redaction) -> "ToldView":
        """Return the view, without secrets: others are quoted."""
        return cls(level=told.level, text=redaction.clean(told.text))

    @classmethod
    def all_of(cls, told: Iterable[Told], redaction: Redaction) -> "list[ToldView]":
        """Return the views."""
        return [cls.of(each, redaction) for each in told]
