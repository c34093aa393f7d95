-- History as one stream: each transition gets a place in it after its commit, so that whoever reads on loses none.
--
-- The ids of announcements grow within a job, since its row is locked when they are drawn. Over all jobs they
-- commit in any order, so the highest one that is there says nothing about those below it. What is missing below
-- it is kept as gaps and looked for again until every transaction that can have drawn it is over.

-- Give the next transitions their places, one caller at a time, and tell how many each owner got; nothing while
-- another caller does it. Called by Stream.place.
create function makegood.place_history(p_limit integer) returns table (owner text, steps bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  s makegood.stream;
begin
  select * into s from makegood.stream for no key update skip locked;
  if not found then
    return;
  end if;
  return query
  with free as materialized (  -- in the order of the ids: of a job the earlier step comes first
    select o.outbox_id, o.job_id, o.version
    from unnest(s.gaps + int8multirange(int8range(s.reached + 1, null))) as g (part)
    cross join lateral (
      select x.outbox_id, x.job_id, x.version from makegood.outbox x
      where x.outbox_id >= lower(g.part) and x.outbox_id < coalesce(upper(g.part), 9223372036854775807)
      order by x.outbox_id limit p_limit) o
    order by o.outbox_id limit p_limit
  ), given as (
    insert into makegood.placed (place, job_id, version, owner_id)
    select s.place + row_number() over (order by f.outbox_id), f.job_id, f.version, h.owner_id
    from free f join makegood.history h on h.job_id = f.job_id and h.version = f.version
    returning placed.owner_id
  ), found as (  -- a gap of which all who may have drawn it are over, and that this look has not filled, is none
    select count(*) as n, coalesce(range_agg(int8range(f.outbox_id, f.outbox_id, '[]')), '{}') as ids,
           greatest(s.reached, max(f.outbox_id)) as reached,
           count(*) < p_limit and pg_snapshot_xmin(pg_current_snapshot()) >= s.horizon as settled
    from free f
  ), rest as (
    select *, s.gaps - (case when settled then s.old_gaps else '{}' end) - ids
              + (int8multirange(int8range(s.reached + 1, reached + 1)) - ids) as gaps
    from found
  ), moved as (
    update makegood.stream u
    set place = s.place + r.n, reached = r.reached, gaps = r.gaps,
        old_gaps = case when r.settled then r.gaps else s.old_gaps * r.gaps end,
        horizon = case when r.settled then pg_snapshot_xmax(pg_current_snapshot())
                       -- one beyond all that were begun is of another server, from which this was restored
                       else least(s.horizon, pg_snapshot_xmax(pg_current_snapshot())) end
    from rest r
    where r.n > 0 or r.gaps <> s.gaps or r.settled and not isempty(r.gaps)
       or s.horizon > pg_snapshot_xmax(pg_current_snapshot())
  )
  select g.owner_id, count(*) from given g group by g.owner_id;
end $$;

-- Messages that name a task of which no attempt is known yet. They are kept for the attempt that gets the task, as
-- hints on it, and for no longer than a day; anybody may send one, so how many are kept has an end.
create table makegood.parked_hint (
  task_id     text not null check (length(task_id) between 1 and 200),
  source      text not null check (length(source) between 1 and 100 and source <> 'webhook'),
  digest      bytea not null,
  body        text not null,
  copies      integer not null default 1,
  received_at timestamptz not null default makegood.now(),
  looked      boolean not null default false,  -- whether its task became known while it was being parked
  primary key (task_id, source, digest)
);
create index parked_hint_source on makegood.parked_hint (source);
create index parked_hint_age on makegood.parked_hint (received_at);
create index parked_hint_new on makegood.parked_hint (received_at) where not looked;

-- Keep messages with webhook tokens, each once, and make their attempts due: those of attempts at these accounts,
-- null: at all. Tell whose the tokens are; what is not kept is of another account, or its attempt is locked. Called
-- by Hints.receive and Hints.take_in.
create function makegood.receive_hints(
  p_hashes bytea[], p_digests bytea[], p_bodies text[], p_tasks text[], p_wait boolean, p_accounts text[]
) returns table (hash bytea, job uuid, attempt_number integer, at_account text, kept boolean)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  if p_wait then
    perform 1 from makegood.attempt where token_hash = any(p_hashes) order by job_id, number for no key update;
  end if;
  return query
  with known as materialized (
    select a.job_id, a.number, a.account, w.*
    from unnest(p_hashes, p_digests, p_bodies, p_tasks) as w (hash, digest, body, task_id)
    join makegood.attempt a on a.token_hash = w.hash and (p_accounts is null or a.account = any(p_accounts))
    order by a.job_id, a.number for no key update of a skip locked
  ), stored as (
    insert into makegood.inbox as i (job_id, attempt, source, digest, body, task_id)
    select k.job_id, k.number, 'webhook', k.digest, k.body, k.task_id from known k order by k.job_id, k.number
    on conflict (job_id, attempt, source, digest) do update set copies = i.copies + 1
  ), due as (
    update makegood.attempt a set next_ask_at = makegood.hinted_at()
    from known k where a.job_id = k.job_id and a.number = k.number and a.closed_at is null
  )
  select k.hash, k.job_id, k.number, k.account, true from known k
  union all
  select w.hash, a.job_id, a.number, a.account, false
  from unnest(p_hashes) as w (hash) join makegood.attempt a on a.token_hash = w.hash
  where w.hash not in (select k.hash from known k);
end $$;

-- Keep a message that names nothing but a task: as a hint on the attempts that have it, and then make them due; if
-- there is none, for later. Of many about one attempt, and of many that are parked, only the first are kept. It
-- returns `known`, `parked` or `full`. Called by Hints.hear.
create function makegood.hear_of_task(
  p_task text, p_source text, p_digest bytea, p_body text, p_of_source integer, p_of_attempt integer,
  p_parked integer, p_parked_of_source integer
) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off as $$
declare
  a record;
  known boolean := false;
begin
  for a in
    select t.job_id, t.number from makegood.provider_account p
    join makegood.attempt t on t.account = p.name and t.task_id = p_task order by t.job_id, t.number
  loop
    known := true;
    update makegood.inbox set copies = copies + 1
      where job_id = a.job_id and attempt = a.number and source = p_source and digest = p_digest;
    continue when found;
    insert into makegood.inbox (job_id, attempt, source, digest, body, task_id)
    select a.job_id, a.number, p_source, p_digest, p_body, p_task
    from (select count(*) as n, count(*) filter (where source = p_source) as theirs from makegood.inbox
          where job_id = a.job_id and attempt = a.number and source <> 'webhook') i
    where i.n < p_of_attempt and i.theirs < p_of_source
    on conflict do nothing;
    if found then
      update makegood.attempt set next_ask_at = makegood.hinted_at()
        where job_id = a.job_id and number = a.number and closed_at is null;
    end if;
  end loop;
  if known then
    return 'known';
  end if;
  update makegood.parked_hint set copies = copies + 1
    where task_id = p_task and source = p_source and digest = p_digest;
  if found then
    return 'parked';
  end if;
  for i in 1..2 loop  -- a flood that finds no room waits for nobody
    if (select count(*) from makegood.parked_hint where source = p_source) >= p_parked_of_source
       or (select count(*) from makegood.parked_hint) >= p_parked then
      return 'full';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('makegood.parked_hint', 0)) where i = 1;
  end loop;
  insert into makegood.parked_hint (task_id, source, digest, body) values (p_task, p_source, p_digest, p_body)
    on conflict (task_id, source, digest) do update set copies = parked_hint.copies + 1;
  return 'parked';
end $$;

-- Make parked messages about these tasks hints on the attempts that have them by now, and those due; return how
-- many there were. Called by keep_evidence and sweep_hints.
create function makegood.adopt_hints(p_tasks text[], p_of_source integer default 20) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  adopted integer;
begin
  with mine as materialized (
    select p.task_id, p.source, p.digest, p.body, p.copies, p.received_at from makegood.parked_hint p
    where p.task_id = any(p_tasks) and exists (
      select 1 from makegood.provider_account x
      join makegood.attempt a on a.account = x.name and a.task_id = p.task_id)
    for update of p skip locked
  ), gone as (
    delete from makegood.parked_hint p using mine m
    where p.task_id = m.task_id and p.source = m.source and p.digest = m.digest
  ), kept as (
    insert into makegood.inbox (job_id, attempt, source, digest, body, task_id, copies, received_at)
    select a.job_id, a.number, m.source, m.digest, m.body, m.task_id, m.copies, m.received_at
    from (select *, row_number() over (partition by task_id, source order by received_at) as n from mine) m
    join makegood.provider_account x on true
    join makegood.attempt a on a.account = x.name and a.task_id = m.task_id
    where m.n <= p_of_source
    order by a.job_id, a.number
    on conflict do nothing
    returning job_id, attempt
  ), due as (
    update makegood.attempt a set next_ask_at = makegood.hinted_at()
    from (select distinct job_id, attempt from kept) k
    where a.job_id = k.job_id and a.number = k.attempt and a.closed_at is null
  )
  select count(*) into adopted from mine;
  return adopted;
end $$;

-- Adopt parked messages whose task became known in the very moment in which they were parked, and delete those
-- older than p_seconds, at most p_limit of each. Called by Hints.sweep.
create function makegood.sweep_hints(p_seconds double precision, p_wait_seconds double precision, p_limit integer)
returns table (adopted integer, expired integer)
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off as $$
declare
  tasks text[];
begin
  with new as (
    select p.task_id, p.source, p.digest from makegood.parked_hint p
    where not p.looked and p.received_at <= makegood.now() - make_interval(secs => p_wait_seconds)
    order by p.received_at limit p_limit for update of p skip locked
  ), marked as (
    update makegood.parked_hint p set looked = true from new n
    where p.task_id = n.task_id and p.source = n.source and p.digest = n.digest
    returning p.task_id
  )
  select array_agg(distinct m.task_id) into tasks from marked m;
  adopted := case when tasks is null then 0 else makegood.adopt_hints(tasks) end;
  with old as (
    select p.task_id, p.source, p.digest from makegood.parked_hint p
    where p.received_at <= makegood.now() - make_interval(secs => p_seconds)
    order by p.received_at limit p_limit for update of p skip locked
  )
  delete from makegood.parked_hint p using old o
    where p.task_id = o.task_id and p.source = o.source and p.digest = o.digest;
  get diagnostics expired = row_count;
  return next;
end $$;
