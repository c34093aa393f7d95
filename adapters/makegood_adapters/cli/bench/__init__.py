"""The command `makegood bench`: what this machine reaches, and what pgbench reaches beside it."""
