"""The Store on Postgres, and a Postgres to run it on."""
