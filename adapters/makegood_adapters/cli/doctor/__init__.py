"""The command `makegood doctor`: does what is configured work, seen from this machine?"""
