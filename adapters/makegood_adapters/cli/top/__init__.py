"""The command `makegood top`: who works, what waits, and how fast it goes."""
