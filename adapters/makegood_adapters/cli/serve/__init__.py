"""The command `makegood serve`: one process, or a parent with several that share a port."""
