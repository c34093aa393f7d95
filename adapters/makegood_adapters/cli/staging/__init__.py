"""The stage beside the page: a story in words, and buttons that make things happen for real."""
