-- Which processes work on this database, and how each is doing.

create table makegood.worker (
  worker_id  uuid primary key,
  host       text not null,
  pid        integer not null,
  started_at timestamptz not null default makegood.now(),
  seen_at    timestamptz not null default makegood.now(),
  health     jsonb not null default '{}'
);
