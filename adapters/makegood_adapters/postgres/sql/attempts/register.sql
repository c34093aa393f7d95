-- Add a provider account or change its limits. Called by Attempts.register.
insert into makegood.provider_account (name, pool, capacity, draining_seconds)
values ($1, $2, $3, $4)
on conflict (name) do update
set pool = excluded.pool, capacity = excluded.capacity, draining_seconds = excluded.draining_seconds,
    capacity_since = case when excluded.capacity = provider_account.capacity
                          then provider_account.capacity_since else makegood.now() end
