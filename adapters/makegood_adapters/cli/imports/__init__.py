"""The command `makegood import`: an old job system moves in, with its balances and its history."""
