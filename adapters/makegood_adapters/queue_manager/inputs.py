"""The input of a run: the row's own columns, overlaid by the body of the call, files as keys of ours."""

import re
from collections.abc import Mapping
from typing import Any

from makegood.engine import Engine
from makegood.errors import InvalidInput, InvalidRequest, UploadsExhausted
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.queue_manager.addresses import Addresses
from makegood_adapters.queue_manager.storage import bring_base64
from makegood_adapters.queue_manager.tables import Tool

#: More files than that no input has; what follows is not looked up, and refused by the type.
_FILES_MAX = 50
_ADDRESS = re.compile(r"[a-z]{1,10}://", re.IGNORECASE)
_CONTENT_FIELD = "base64"
# The page's codes for an input that is missing, or not taken; those that are not here have one in common.
_MISSING = {"prompt": "MISSING_PROMPT", "selected_numbers": "MISSING_SELECTED_NUMBERS"}
_WRONG = {
    "resolution": "INVALID_RESOLUTION",
    "prompt": "INVALID_PROMPT",
    "version": "INVALID_VERSION",
    "framing_mode": "INVALID_FRAMING_MODE",
    "category": "INVALID_CATEGORY",
    "editing_level": "INVALID_EDITING_LEVEL",
}
_LOGO_MODE = ("content_mode", "logo")


class Unfit(Exception):
    """The input cannot become that of a job; `code` and `message` are made for the page."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


class Inputs:
    """Puts inputs together, and says by the page's codes what is wrong with one."""

    def __init__(self, engine: Engine, addresses: Addresses, rules: FileRules) -> None:
        self._engine, self._addresses, self._rules = engine, addresses, rules

    async def whole(
        self, tool: Tool, owner: str, row: Mapping[str, Any], body: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the whole input: *row* is that of the draft, by names of inputs.

        Of two fields that fill one input the first that is given counts. An address has to be that of a file
        of ours which the owner may use; nothing is fetched. Raises Unfit, and UploadsExhausted for content
        beyond what an owner may bring in a day.
        """
        given = dict(row)
        said: dict[str, Any] = {}
        for field, name in tool.run.items():
            if not _is_blank(body.get(field)):
                said.setdefault(name, body[field])
        given |= said
        files = self._engine.catalog.get(tool.job_type).file_fields()
        for name in (each for each in files if each in given):  # in their order: the first mistake is told
            given[name] = await self._keys(owner, name, given[name])
        for field, name in tool.content.items():
            if name not in said and not _is_blank(body.get(field)):
                given[name] = await self._brought(owner, field, body[field])
        return given

    async def _keys(self, owner: str, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [await self._key(owner, name, each) for each in value[:_FILES_MAX]] + value[_FILES_MAX:]
        return value if _is_blank(value) else await self._key(owner, name, value)

    async def _key(self, owner: str, name: str, value: Any) -> str:
        """Return the key of the file that an address, or the handle of an upload, stands for."""
        if isinstance(value, str):
            if (key := await self._addresses.key_of(owner, value)) is not None:
                return key
            if value in await self._engine.brought(owner, [value]):
                return value
            if _ADDRESS.match(value):
                raise Unfit(
                    "INVALID_IMAGE_SOURCE",
                    f"{name}: the file is none of yours in our storage; upload it first.",
                )
        raise Unfit("INVALID_IMAGE_URL", f"{name}: this is no address of a file; upload it first.")

    async def _brought(self, owner: str, field: str, value: Any) -> str:
        text = value.get(_CONTENT_FIELD) if isinstance(value, Mapping) else value
        try:
            return (await bring_base64(self._engine, owner, text, self._rules)).key
        except UploadsExhausted:
            raise
        except InvalidRequest as error:
            raise Unfit("INVALID_INPUT", f"{field}: {error}") from None


def unfit(error: InvalidInput, tool: Tool, given: Mapping[str, Any]) -> Unfit:
    """Return by which code the page is told what is wrong with the input *given*."""
    fields = {name: field for field, name in reversed([*tool.run.items(), *tool.content.items()])}
    problems = [f"{fields.get(path.partition('.')[0], path)}: {text}" for path, text in error.problems]
    told = f"{'; '.join(problems)}."
    first = error.problems[0][0].partition(".")[0] if error.problems else ""
    if _is_blank(given.get(first)):
        return Unfit(_MISSING.get(first, "MISSING_PARAMS"), told)
    if (first, given[first]) == _LOGO_MODE:
        return Unfit("LOGO_MODE_ENGINE_UNSUPPORTED", told)
    return Unfit(_WRONG.get(first, "INVALID_INPUT"), told)


def _is_blank(value: object) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())
