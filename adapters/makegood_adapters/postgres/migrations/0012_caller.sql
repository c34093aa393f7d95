-- Service keys: who may call the API in whose name; only the hash of a key is kept.

create table makegood.service_key (
  key_hash bytea primary key check (length(key_hash) = 32),
  name text not null check (name <> ''),
  scopes text[] not null,
  created_at timestamptz not null default makegood.now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
