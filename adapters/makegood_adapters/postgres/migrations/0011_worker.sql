-- Which processes work on this database, and how each says it is doing. No claim, lease or slot depends on it.

create table makegood.worker (
  worker_id  uuid primary key,
  host       text not null,
  pid        integer not null,
  number     integer not null default 0,               -- among the siblings of one service; 0: it has none
  version    text not null,
  state      text not null check (state in ('running', 'draining')),
  accounts   text[] not null default '{}',             -- the provider accounts that it has
  started_at timestamptz not null default makegood.now(),
  seen_at    timestamptz not null default makegood.now(),
  health     jsonb not null default '{}'
);

-- Remove the row of a process that ends in order. Called by Workers.leave.
create function makegood.leave_worker(p_worker uuid) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  delete from makegood.worker where worker_id = p_worker
$$;

-- Remove rows of processes that were not seen for so long, and return how many. Called by Workers.forget.
create function makegood.forget_workers(p_unseen_seconds double precision, p_limit integer) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
  with lost as (
    select worker_id from makegood.worker
    where seen_at <= makegood.now() - make_interval(secs => p_unseen_seconds)
    order by seen_at limit p_limit for update skip locked
  ), gone as (
    delete from makegood.worker w using lost where w.worker_id = lost.worker_id returning 1
  )
  select count(*) from gone
$$;
