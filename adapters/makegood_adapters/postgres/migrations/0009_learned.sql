-- What is learned from attempts that ended, and where in its queue a job stands: what asking and promising rest on.

create table makegood.learned (
  type              text primary key,
  run_seconds       double precision not null check (run_seconds >= 0),  -- median of accepted to closed, of successes
  first_ask_seconds double precision not null check (first_ask_seconds >= 0),  -- after it was accepted
  samples           integer not null check (samples > 0),
  learned_at        timestamptz not null default makegood.now()
);

create table makegood.pace (
  pool         text primary key,
  slot_seconds double precision not null check (slot_seconds >= 0),  -- mean time for which a task held its slot
  samples      integer not null check (samples > 0),
  learned_at   timestamptz not null default makegood.now()
);

-- A place in the order of those who wait in one way (see job.parked), and how many stood up to it at that time.
create table makegood.milestone (
  pool      text not null,
  parked    text not null,
  behind    bigint not null,  -- the priority, turned round so that all columns ascend
  start_tag double precision not null,
  queued_at timestamptz not null,
  job_id    uuid not null,
  rank      bigint not null,
  marked_at timestamptz not null default makegood.now(),
  primary key (pool, parked, behind, start_tag, queued_at, job_id)
);

create table makegood.reckoning (  -- one row: when what is in this file is next made anew, by any process
  one     boolean primary key default true check (one),
  next_at timestamptz not null default makegood.now()
);
insert into makegood.reckoning default values;

create table makegood.ask_budget (  -- of each account: how many questions it had left then; a row that no slot waits for
  account text primary key references makegood.provider_account on delete cascade,
  tokens  double precision not null default 0,
  at      timestamptz not null default makegood.now() - interval '1 hour'
);
create function makegood.account_asks() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into makegood.ask_budget (account) values (new.name);
  return null;
end $$;
create trigger has_a_budget after insert on makegood.provider_account
  for each row execute function makegood.account_asks();

-- A task of which somebody has said something is due as if it had been for an hour: where more are due than may be asked
-- about, it comes before the usual questions, and does not keep those away for ever. Called by whatever takes a hint.
create function makegood.hinted_at() returns timestamptz
language sql stable set search_path = pg_catalog, pg_temp as $$
  select makegood.now() - interval '1 hour'
$$;

create index attempt_closed on makegood.attempt (closed_at) where closed_at is not null;

-- Count who waits in one way after one place and up to another, at most p_limit. Called by standing and reckon.
create function makegood.count_waiting(
  p_pool text, p_parked text, p_after makegood.milestone, p_upto makegood.milestone, p_limit integer
) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin  -- its callers have set that plans go by the index job_waiting, whatever the statistics say
  if p_after.behind = p_upto.behind then
    return (select count(*) from (
      select from makegood.job o
      where o.waiting and o.pool = p_pool and o.parked = p_parked and o.priority = -p_after.behind
        and (o.start_tag, o.queued_at, o.job_id) > (p_after.start_tag, p_after.queued_at, p_after.job_id)
        and (o.start_tag, o.queued_at, o.job_id) <= (p_upto.start_tag, p_upto.queued_at, p_upto.job_id)
      order by o.start_tag, o.queued_at, o.job_id limit p_limit) as between_them);
  end if;
  return least(p_limit, (
    select count(*) from (
      select from makegood.job o
      where o.waiting and o.pool = p_pool and o.parked = p_parked and o.priority = -p_after.behind
        and (o.start_tag, o.queued_at, o.job_id) > (p_after.start_tag, p_after.queued_at, p_after.job_id)
      order by o.start_tag, o.queued_at, o.job_id limit p_limit) as rest_of_the_first
  ) + (
    select count(*) from (
      select from makegood.job o
      where o.waiting and o.pool = p_pool and o.parked = p_parked
        and o.priority < -p_after.behind and o.priority > -p_upto.behind
      order by o.priority desc, o.start_tag, o.queued_at, o.job_id limit p_limit) as between_them
  ) + (
    select count(*) from (
      select from makegood.job o
      where o.waiting and o.pool = p_pool and o.parked = p_parked and o.priority = -p_upto.behind
        and (o.start_tag, o.queued_at, o.job_id) <= (p_upto.start_tag, p_upto.queued_at, p_upto.job_id)
      order by o.start_tag, o.queued_at, o.job_id limit p_limit) as begin_of_the_last
  ));
end $$;

-- The places before and behind everybody. Called by standing and reckon.
create function makegood.queue_ends(out p_begin makegood.milestone, out p_end makegood.milestone)
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select (null, null, -9223372036854775807, '-infinity', '-infinity',
          '00000000-0000-0000-0000-000000000000', 0, null)::makegood.milestone,
         (null, null, 9223372036854775807, 'infinity', 'infinity',
          'ffffffff-ffff-ffff-ffff-ffffffffffff', 0, null)::makegood.milestone
$$;

-- Tell, for each way of waiting, how many stand up to a waiting job, itself included, and how many there are in all.
-- Up to p_bound is counted. Beyond, it is the rank of a milestone, less that of the first one that the head has not
-- passed, and what is counted on both sides: who left at the head since, or came behind, makes no mistake, and of the
-- others no more than their number. Called by Jobs.position and Queue.standing.
create function makegood.standing(p_job uuid, p_bound integer)
returns table (parked text, upto bigint, waiting bigint, exact boolean, marked_at timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  me makegood.milestone;
  ends record;
  first makegood.milestone;
  near makegood.milestone;
  last makegood.milestone;
  lead bigint;
begin
  select j.pool, j.parked, -j.priority::bigint, j.start_tag, j.queued_at, j.job_id into
    me.pool, me.parked, me.behind, me.start_tag, me.queued_at, me.job_id
    from makegood.job j where j.job_id = p_job and j.waiting;
  if not found then
    return;
  end if;
  select * into ends from makegood.queue_ends();
  foreach parked in array array['no', 'time', 'owner', 'type'] loop
    upto := makegood.count_waiting(me.pool, parked, ends.p_begin, me, p_bound + 1);
    waiting := makegood.count_waiting(me.pool, parked, ends.p_begin, ends.p_end, p_bound + 1);
    exact := upto <= p_bound; marked_at := null;
    if waiting > p_bound then
      select m.* into first from (
        select -j.priority::bigint as behind, j.start_tag, j.queued_at, j.job_id from makegood.job j
        where j.waiting and j.pool = me.pool and j.parked = standing.parked
        order by j.priority desc, j.start_tag, j.queued_at, j.job_id limit 1) as head
        cross join lateral (
          select * from makegood.milestone m
          where m.pool = me.pool and m.parked = standing.parked
            and (m.behind, m.start_tag, m.queued_at, m.job_id)
                >= (head.behind, head.start_tag, head.queued_at, head.job_id)
          order by m.behind, m.start_tag, m.queued_at, m.job_id limit 1) as m;
      if found then
        lead := makegood.count_waiting(me.pool, parked, ends.p_begin, first, p_bound + 1);
        select * into last from makegood.milestone m where m.pool = me.pool and m.parked = standing.parked
          order by m.behind desc, m.start_tag desc, m.queued_at desc, m.job_id desc limit 1;
        waiting := lead + last.rank - first.rank
                   + makegood.count_waiting(me.pool, parked, last, ends.p_end, p_bound + 1);
        select * into near from makegood.milestone m
          where m.pool = me.pool and m.parked = standing.parked
            and (m.behind, m.start_tag, m.queued_at, m.job_id)
                <= (me.behind, me.start_tag, me.queued_at, me.job_id)
          order by m.behind desc, m.start_tag desc, m.queued_at desc, m.job_id desc limit 1;
        if not exact and found and near.rank >= first.rank then
          upto := lead + near.rank - first.rank
                  + makegood.count_waiting(me.pool, parked, near, me, p_bound + 1);
        end if;
        marked_at := first.marked_at;
      end if;
    end if;
    return next;
  end loop;
end $$;

-- Learn from the attempts that ended last, and mark every p_every-th place of queues longer than p_bound, if nobody
-- has in the last p_again seconds; return whether it was done. Long queues, which take long to read, are marked less
-- often. Called by Queue.reckon.
create function makegood.reckon(
  p_again double precision, p_first_ask_max double precision, p_samples integer, p_bound integer, p_every integer
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  began timestamptz := clock_timestamp();
  place text := '';
  way text;
  ends record;
begin
  perform 1 from makegood.reckoning where next_at <= makegood.now() for no key update skip locked;
  if not found then
    return false;
  end if;
  with ended as (
    select a.job_id, a.verdict, a.accepted_at, a.closed_at from makegood.attempt a
    where a.closed_at is not null order by a.closed_at desc limit p_samples
  ), told as (
    select j.type, count(*) as samples, percentile_cont(0.5) within group (
             order by extract(epoch from e.closed_at - e.accepted_at)::double precision) as seconds
    from ended e join makegood.job j on j.job_id = e.job_id
    where e.verdict = 'succeeded' and e.accepted_at is not null group by j.type
  )
  insert into makegood.learned as l (type, run_seconds, first_ask_seconds, samples)
    select type, greatest(seconds, 0), case when seconds < 2 then 0 else least(seconds / 2, p_first_ask_max) end,
           samples
    from told
    on conflict (type) do update
    set run_seconds = excluded.run_seconds, first_ask_seconds = excluded.first_ask_seconds,
        samples = excluded.samples, learned_at = excluded.learned_at
    where excluded.samples >= least(l.samples, 20) or l.learned_at < excluded.learned_at - interval '1 day';
  with ended as (
    select a.account, a.opened_at, a.accepted_at, a.closed_at from makegood.attempt a
    where a.closed_at is not null order by a.closed_at desc limit p_samples
  )
  insert into makegood.pace as l (pool, slot_seconds, samples)
    select p.pool, greatest(avg(extract(epoch from e.closed_at - e.opened_at)), 0), count(*)
    from ended e join makegood.provider_account p on p.name = e.account
    where e.accepted_at is not null group by p.pool
    on conflict (pool) do update
    set slot_seconds = excluded.slot_seconds, samples = excluded.samples, learned_at = excluded.learned_at
    where excluded.samples >= least(l.samples, 20) or l.learned_at < excluded.learned_at - interval '1 day';

  delete from makegood.milestone;
  select * into ends from makegood.queue_ends();
  loop  -- from pool to pool through the index: their jobs are not read
    place := (select j.pool from makegood.job j where j.waiting and j.pool > place order by j.pool limit 1);
    exit when place is null;
    foreach way in array array['no', 'time', 'owner', 'type'] loop
      if makegood.count_waiting(place, way, ends.p_begin, ends.p_end, p_bound + 1) > p_bound then
        insert into makegood.milestone (pool, parked, behind, start_tag, queued_at, job_id, rank)
          select place, way, -q.priority::bigint, q.start_tag, q.queued_at, q.job_id, q.rank from (
            select j.priority, j.start_tag, j.queued_at, j.job_id, row_number() over (
                     order by j.priority desc, j.start_tag, j.queued_at, j.job_id) as rank
            from makegood.job j where j.waiting and j.pool = place and j.parked = way) as q
          where q.rank % p_every = 0;
      end if;
    end loop;
  end loop;
  update makegood.reckoning set next_at = makegood.now() + greatest(
    make_interval(secs => p_again), 20 * (clock_timestamp() - began));
  return true;
end $$;
