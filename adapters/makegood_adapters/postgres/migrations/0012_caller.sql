-- Service keys: what programs that call the API may do; of a secret only the hash is kept.

create table makegood.service_key (
  key_id text primary key check (key_id ~ '^[0-9a-f]{12}$'),
  key_hash bytea not null unique check (length(key_hash) = 32),
  previous_hash bytea unique check (length(previous_hash) = 32),  -- of the secret before the last rotation
  previous_until timestamptz,
  name text not null check (name <> ''),
  scopes text[] not null check (cardinality(scopes) > 0),
  created_at timestamptz not null default makegood.now(),
  created_by text not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  revoked_by text,
  last_used_at timestamptz,
  check ((revoked_at is null) = (revoked_by is null)),
  check ((previous_hash is null) = (previous_until is null))
);

-- The history names who acted by the name of a key, so that two that are in use never share one.
create unique index service_key_name on makegood.service_key (name) where revoked_at is null;

-- What was revoked stays so, whoever writes: a leaked secret must not come back to life.
create function makegood.service_key_stays_revoked() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.revoked_at is not null and (new.revoked_at is distinct from old.revoked_at
      or new.key_hash <> old.key_hash) then
    raise exception 'the service key % is revoked: make another one', old.key_id using errcode = '23514';
  end if;
  return new;
end $$;

create trigger stays_revoked before update on makegood.service_key
for each row execute function makegood.service_key_stays_revoked();
