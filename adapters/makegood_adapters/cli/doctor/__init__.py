"""The command `makegood doctor`, which looks whether what is configured works, seen from this machine."""
