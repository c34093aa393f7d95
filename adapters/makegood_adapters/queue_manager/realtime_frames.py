"""The messages of the Realtime wire: objects in version 1.0.0 of its protocol, arrays in 2.0.0."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from makegood_adapters.http.application import from_json

#: Which versions a client may ask for; the library sends the first to 2.86, and the second since.
OBJECTS, ARRAYS = "1.0.0", "2.0.0"
VERSIONS = (OBJECTS, ARRAYS)

Ref = str | int | None


class BadFrame(Exception):
    """What came is no message; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message. `ref` is the client's number of it, which a reply repeats; `join_ref` is the `ref` of the
    join to which it belongs."""

    topic: str
    event: str
    payload: Mapping[str, Any]
    ref: Ref = None
    join_ref: Ref = None

    @classmethod
    def read(cls, text: str, version: str) -> "Frame":
        """Read a message. Raises BadFrame."""
        try:
            found = from_json(text)
        except ValueError:
            raise BadFrame("The message is not JSON.") from None
        if version == ARRAYS:
            if not isinstance(found, list) or len(found) != 5:
                raise BadFrame("The message is not a list of join_ref, ref, topic, event and payload.")
            found = dict(zip(("join_ref", "ref", "topic", "event", "payload"), found, strict=True))
        if not isinstance(found, dict):
            raise BadFrame("The message is not an object.")
        topic, event, payload = found.get("topic"), found.get("event"), found.get("payload")
        refs = (found.get("ref"), found.get("join_ref"))
        if not (isinstance(topic, str) and isinstance(event, str) and isinstance(payload, dict)):
            raise BadFrame("The message has no topic, no event or no payload.")
        if not all(isinstance(ref, Ref) for ref in refs):
            raise BadFrame("The message has a ref that is neither a text nor a number.")
        return cls(topic=topic, event=event, payload=payload, ref=refs[0], join_ref=refs[1])

    def reply(self, status: str, response: Mapping[str, Any]) -> "Frame":
        """Return the answer to this message."""
        payload = {"status": status, "response": response}
        return Frame(
            topic=self.topic, event="phx_reply", payload=payload, ref=self.ref, join_ref=self.join_ref
        )

    def text(self, version: str) -> str:
        """Return what is sent."""
        if version == ARRAYS:
            return _compact([self.join_ref, self.ref, self.topic, self.event, self.payload])
        told = {"topic": self.topic, "event": self.event, "payload": self.payload, "ref": self.ref}
        # Only what answers a message of a joined topic has one there.
        if self.join_ref is not None and self.event == "phx_reply":
            told["join_ref"] = self.join_ref
        return _compact(told)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
