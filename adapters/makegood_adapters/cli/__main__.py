"""`python -m makegood_adapters.cli` is the command `makegood`."""

from makegood_adapters.cli import main

main()
