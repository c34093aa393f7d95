-- Keep a new key; no row if another one has its name. Called by Keys.add.
insert into makegood.service_key (key_id, key_hash, name, scopes, created_by, expires_at)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
returning key_id, name, scopes, created_at, created_by, expires_at, previous_until, revoked_at, revoked_by, last_used_at
