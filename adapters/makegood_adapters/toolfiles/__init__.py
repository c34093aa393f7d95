"""Job types as data: one TOML file a tool, read and proved before any job runs."""

from makegood_adapters.toolfiles.load import (
    ToolJob,
    default_tools_folder,
    load_tool,
    load_tools,
    usable_tools,
)
from makegood_adapters.toolfiles.schema import schema_text, tool_schema
from makegood_adapters.toolfiles.write import to_toml

__all__ = [
    "ToolJob",
    "default_tools_folder",
    "load_tool",
    "load_tools",
    "schema_text",
    "to_toml",
    "tool_schema",
    "usable_tools",
]
