"""The command `makegood init`, which writes a configuration that works."""
