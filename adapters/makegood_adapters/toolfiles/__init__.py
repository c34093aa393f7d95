"""Job types as data: one TOML file a tool, read and proved before any job runs."""

from makegood_adapters.toolfiles.load import ToolJob, default_tools_folder, load_tool, load_tools

__all__ = ["ToolJob", "default_tools_folder", "load_tool", "load_tools"]
