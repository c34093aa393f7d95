-- Uploads: which owner has brought which file, so that nobody uses a file of somebody else.

create table makegood.upload (
  owner_id text not null,
  key text not null check (key <> ''),
  size bigint not null check (size >= 0),
  created_at timestamptz not null default makegood.now(),
  primary key (owner_id, key)
);
