-- Add a provider account or change what is configured of it. Called by Accounts.register.
insert into makegood.provider_account (name, pool, configured, draining_seconds, exclusive, grow_seconds)
values ($1, $2, $3, $4, $5, $6)
on conflict (name) do update
set pool = excluded.pool, configured = excluded.configured, draining_seconds = excluded.draining_seconds,
    exclusive = excluded.exclusive, grow_seconds = excluded.grow_seconds
