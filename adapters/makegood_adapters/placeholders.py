"""Put the addresses of uploaded files where a provider's request names the files of the job."""

from collections.abc import Mapping
from typing import Any


def filled(value: Any, files: Mapping[str, str]) -> Any:
    """Return *value* with the address of a file wherever `{"file": name}` names one, at any depth.

    Raises ValueError for a name that is none of *files*, TypeError and RecursionError for what is no request.
    """
    if isinstance(value, Mapping):
        if set(value) == {"file"}:
            if value["file"] not in files:
                raise ValueError(f"the job has no file {value['file']!r}")
            return files[value["file"]]
        return {key: filled(inner, files) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [filled(inner, files) for inner in value]
    return value
