"""The command `makegood audit`: what an operator reads about the books."""
