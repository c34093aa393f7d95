"""Benchmarks that compare two ways of one thing, turn by turn on one server."""
