"""Thousands of paid jobs while everything goes wrong at once, and the books held against the provider's."""
