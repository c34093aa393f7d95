-- Who goes next: the order of the queue, and what keeps a job from going although there is a slot.
--
-- Each priority of a pool is a lane of its own, served by start tags: a job gets one when it first waits, not below
-- the lane's virtual time nor the last tag of its owner there plus the owner's share of one job, 1 / weight. A job
-- that comes back keeps its tag, and so its place. Whose turn has come and who may not go is parked, so that nobody
-- looks at it again before something has changed.

create table makegood.pool (  -- its row is locked by whoever dispatches
  name         text primary key check (name <> ''),
  since_oldest integer not null default 0,  -- slots given out since one went to the job that waited longest
  sweep_scope  text check (sweep_scope in ('owner', 'type')),  -- null: no sweep is under way
  sweep_after  text not null default '',    -- the last name that it has looked at
  swept_at     timestamptz not null default makegood.now()
) with (fillfactor = 50);

create table makegood.lane (  -- its virtual time is the highest start tag that was served in its order
  pool         text not null,
  priority     integer not null,
  virtual_time double precision not null default 0,
  primary key (pool, priority)
) with (fillfactor = 50);

create table makegood.share (  -- what an owner has taken of a lane: where its last jobs began, and what comes after
  pool       text not null,
  priority   integer not null,
  owner_id   text not null,
  start_tag  double precision not null,
  finish_tag double precision not null check (finish_tag > start_tag),
  primary key (owner_id, pool, priority)
) with (fillfactor = 50);

create table makegood.rule (  -- the name '*' stands for all of a scope that have no value of their own
  scope        text not null check (scope in ('pool', 'type', 'owner')),
  name         text not null check (name <> ''),
  running_max  integer check (running_max >= 0),                            -- jobs in a slot, in each pool
  weight       double precision check (weight between 0.001 and 1000),
  oldest_every integer check (oldest_every between 1 and 1000000),
  paused_at    timestamptz,
  paused_until timestamptz,                                                -- null: until somebody resumes it
  reason       text,
  closed       boolean not null default false,      -- while it is paused: takes no new jobs
  actor        text not null,
  changed_at   timestamptz not null default makegood.now(),
  primary key (scope, name),
  check ((running_max is null or scope <> 'pool') and (oldest_every is null or scope = 'pool')),
  check (weight is null or (scope = 'owner' and name <> '*')),
  check (paused_at is null or (reason is not null and name <> '*')),
  check (paused_at is not null or (paused_until is null and reason is null and not closed)),
  check (scope = 'type' or not closed));
create index rule_limits on makegood.rule (scope, name) where running_max is not null;
create index rule_pauses on makegood.rule (paused_until) where paused_until is not null;

create table makegood.freed (  -- who may have room again; the dispatcher takes it away
  freed_id bigint generated always as identity primary key,
  pool     text not null,
  scope    text not null,
  name     text not null
);
create index freed_in_pool on makegood.freed (pool, freed_id);

alter table makegood.job add check (waiting or parked = 'no');
create index job_oldest on makegood.job (pool, queued_at, job_id) where waiting and parked = 'no';
create index job_of_share on makegood.job (owner_id, pool, priority, start_tag) where waiting;
create index job_in_slot on makegood.job (pool, owner_id) where slot;
create index job_parked_time on makegood.job (pool, not_before) where waiting and parked = 'time';
create index job_parked_owner on makegood.job (pool, owner_id, priority desc, start_tag, queued_at, job_id)
  where waiting and parked = 'owner';
create index job_parked_type on makegood.job (pool, type, priority desc, start_tag, queued_at, job_id)
  where waiting and parked = 'type';

-- Give jobs that begin to wait their place: in the order of each owner's jobs, after those it has there already.
-- Who moved them has perhaps guessed right. Called by job_after, when it has the wallets, and by take_up.
create function makegood.give_places(p_jobs uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = on set enable_mergejoin = off as $$
begin
  with come as materialized (
    select job_id, pool, priority, owner_id, start_tag,
           row_number() over (partition by owner_id, pool, priority order by queued_at, job_id) - 1 as before
    from makegood.job where job_id = any(p_jobs)
  ), wanted as materialized (
    select c.owner_id, c.pool, c.priority, count(*) as jobs,
           1 / coalesce((select r.weight from makegood.rule r where r.scope = 'owner' and r.name = c.owner_id), 1)
             as step,
           coalesce((select l.virtual_time from makegood.lane l
                     where l.pool = c.pool and l.priority = c.priority), 0) as now
    from come c group by c.owner_id, c.pool, c.priority
  ), shared as (
    insert into makegood.share as s (owner_id, pool, priority, start_tag, finish_tag)
    select owner_id, pool, priority, now, now + jobs * step from wanted order by owner_id, pool, priority
    on conflict (owner_id, pool, priority) do update
    set start_tag = greatest(s.finish_tag, excluded.start_tag),
        finish_tag = greatest(s.finish_tag, excluded.start_tag) + (excluded.finish_tag - excluded.start_tag)
    returning s.owner_id, s.pool, s.priority, s.start_tag
  )
  update makegood.job j set start_tag = s.start_tag + c.before * w.step
  from come c
  join wanted w using (owner_id, pool, priority)
  join shared s using (owner_id, pool, priority)
  where j.job_id = c.job_id and c.start_tag <> s.start_tag + c.before * w.step;
end $$;

-- Tell how many more jobs of an owner or a type may go into slots of a pool now.
-- Called by take_waiting and unpark, under the lock of the pool.
create function makegood.room_of(p_pool text, p_scope text, p_name text) returns integer
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off as $$
declare
  own record;
  most integer;
begin
  select running_max, paused_at is not null and (paused_until is null or paused_until > makegood.now()) as paused
    into own from makegood.rule where scope = p_scope and name = p_name;
  if own.paused then
    return 0;
  end if;
  most := coalesce(own.running_max,
                   (select running_max from makegood.rule where scope = p_scope and name = '*'));
  if most is null then
    return 2147483647;
  end if;
  return most - case when p_scope = 'owner'
    then (select count(*) from makegood.job where pool = p_pool and owner_id = p_name and slot)
    else (select count(*) from makegood.job where pool = p_pool and slot and type = p_name) end;
end $$;

-- Put parked jobs back into the queue. Those without a slot before whose turn has passed get a place as if they began to
-- wait now: else a crowd that was put off would go before all others; left out are those whose owner's share is locked by
-- who accepts jobs. Called by unpark and unpark_all.
create function makegood.take_up(p_jobs uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  late uuid[];
  placed uuid[];
begin
  select array_agg(j.job_id) into late from makegood.job j
    join makegood.lane l using (pool, priority) join makegood.share s using (owner_id, pool, priority)
    where j.job_id = any(p_jobs) and j.attempt = 0 and j.start_tag < l.virtual_time;
  if late is not null then
    with free as materialized (
      select owner_id, pool, priority from makegood.share
      where (owner_id, pool, priority) in (select owner_id, pool, priority from makegood.job where job_id = any(late))
      order by owner_id, pool, priority for no key update skip locked)
    select array_agg(job_id) into placed from makegood.job join free using (owner_id, pool, priority)
      where job_id = any(late);
    perform makegood.give_places(placed);
  end if;
  update makegood.job set parked = 'no'
    where job_id = any(p_jobs) and job_id <> all(array(select unnest(late) except select unnest(placed)));
end $$;

-- Put parked jobs of an owner or a type back into the queue, in order and no more than there is room for, nor than
-- p_most; if there is room for more than that, it comes up again. Return the room that is left then, for those that
-- others hold. Called by unpark_all.
create function makegood.unpark(p_pool text, p_scope text, p_name text, p_most integer) returns integer
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  room integer := makegood.room_of(p_pool, p_scope, p_name);
  found_jobs uuid[];
begin
  if room <= 0 then
    return 0;
  end if;
  if p_scope = 'owner' then
    found_jobs := array(
      select job_id from makegood.job
      where pool = p_pool and waiting and parked = 'owner' and owner_id = p_name and cancel_requested_at is null
      order by priority desc, start_tag, queued_at, job_id limit least(room, p_most) for no key update skip locked);
  else
    found_jobs := array(
      select job_id from makegood.job
      where pool = p_pool and waiting and parked = 'type' and type = p_name and cancel_requested_at is null
      order by priority desc, start_tag, queued_at, job_id limit least(room, p_most) for no key update skip locked);
  end if;
  if room = 2147483647 then  -- after a pause; of those with a limit no more than that go first
    perform makegood.take_up(found_jobs);
  else
    update makegood.job set parked = 'no' where job_id = any(found_jobs);
  end if;
  if room > p_most and cardinality(found_jobs) = p_most then
    insert into makegood.freed (pool, scope, name) values (p_pool, p_scope, p_name);
    return 0;
  end if;
  return room - cardinality(found_jobs);
end $$;

-- Let others have room that a job could not use, whose owner and type must both have it; tell whether there are any.
-- Called by take_waiting and unpark_all.
create function makegood.offer_room(p_pool text, p_scope text, p_name text, p_room integer) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off as $$
begin
  if p_room <= 0 or not exists (
      select 1 from makegood.job where p_scope = 'owner' and pool = p_pool and waiting and parked = 'owner'
        and owner_id = p_name and cancel_requested_at is null
      union all
      select 1 from makegood.job where p_scope = 'type' and pool = p_pool and waiting and parked = 'type'
        and type = p_name and cancel_requested_at is null) then
    return false;
  end if;
  insert into makegood.freed (pool, scope, name) values (p_pool, p_scope, p_name);
  return true;
end $$;

-- Put back into the queue whose time has come and who has room again; now and then, look at everybody who is parked,
-- a few at a time: nobody stays parked because a word was lost. Tell whether there is more to look at.
-- Called by take_waiting.
create function makegood.unpark_all(p_pool text, p_most integer) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  names_max constant integer := 50;
  one record;
  sweep record;
  found_name text;
  held text[] := '{}';
  more boolean;
begin
  perform makegood.take_up(array(
    select job_id from makegood.job
    where pool = p_pool and waiting and parked = 'time' and not_before <= makegood.now()
    order by not_before limit 500 for no key update skip locked));

  select sweep_scope as scope, sweep_after as after, swept_at <= makegood.now() - interval '30 seconds' as due
    into sweep from makegood.pool where name = p_pool;
  for one in
    with taken as (
      delete from makegood.freed where freed_id in (
        select freed_id from makegood.freed where pool = p_pool order by freed_id limit 500)
      returning scope, name)
    select distinct scope, name from taken
  loop
    if one.name = '*' then
      sweep.scope := 'owner'; sweep.after := '';
    else
      held := held || array[array[one.scope, one.name, makegood.unpark(p_pool, one.scope, one.name, p_most)::text]];
    end if;
  end loop;
  more := exists (select 1 from makegood.freed where pool = p_pool);
  perform makegood.offer_room(p_pool, held[n][1], held[n][2], held[n][3]::integer)  -- not looked at again before the next dispatch
    from generate_subscripts(held, 1) as n;

  if sweep.scope is null and not sweep.due then
    return more;
  end if;
  sweep.scope := coalesce(sweep.scope, 'owner');
  for i in 1..names_max loop
    if sweep.scope = 'owner' then
      select owner_id into found_name from makegood.job
        where pool = p_pool and waiting and parked = 'owner' and owner_id > sweep.after order by owner_id limit 1;
    else
      select type into found_name from makegood.job
        where pool = p_pool and waiting and parked = 'type' and type > sweep.after order by type limit 1;
    end if;
    if found_name is not null then
      perform makegood.unpark(p_pool, sweep.scope, found_name, p_most);
      sweep.after := found_name;
    elsif sweep.scope = 'owner' then
      sweep.scope := 'type'; sweep.after := '';
    else
      update makegood.pool set sweep_scope = null, sweep_after = '', swept_at = makegood.now() where name = p_pool;
      return more;
    end if;
  end loop;
  update makegood.pool set sweep_scope = sweep.scope, sweep_after = sweep.after where name = p_pool;
  return true;
end $$;

-- Lock a pool, so that one at a time dispatches it, and tell whether it may be. Called by Attempts.dispatch.
create function makegood.lock_pool(p_pool text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform 1 from makegood.pool where name = p_pool for no key update;
  if not found then
    insert into makegood.pool (name) values (p_pool) on conflict do nothing;
    perform 1 from makegood.pool where name = p_pool for no key update;
  end if;
  update makegood.rule set paused_at = null, paused_until = null, reason = null, closed = false
    where (scope, name) in (select scope, name from makegood.rule where paused_until <= makegood.now()
                            order by scope, name for no key update skip locked);
  return not exists (
    select 1 from makegood.rule where scope = 'pool' and name = p_pool and paused_at is not null
      and (paused_until is null or paused_until > makegood.now()));
end $$;

-- Take the next jobs of a locked pool: in the order of its queue, but of every so many slots one goes to the job that
-- waits longest. Who may not go now is parked. At most p_looks_max jobs are looked at in each way; `more` tells that
-- slots are left and not all were. Called by Attempts.dispatch.
create function makegood.take_waiting(
  p_pool text, p_slots integer, p_looks_max integer, out jobs uuid[], out attempts integer[], out more boolean
)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_sort = off
set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  in_order cursor for select job_id, attempt, owner_id, type from makegood.job
    where pool = p_pool and waiting and parked = 'no' and cancel_requested_at is null
    order by priority desc, start_tag, queued_at, job_id for no key update skip locked;
  by_age cursor for select job_id, attempt, owner_id, type from makegood.job
    where pool = p_pool and waiting and parked = 'no' and cancel_requested_at is null
    order by queued_at, job_id for no key update skip locked;
  one record;
  since integer; every integer;
  oldest boolean;
  looks integer := 0;
  looks_by_age integer := 0;
  rooms jsonb;
  owner_room integer;
  type_room integer;
  served uuid[] := '{}';
  no_owner_room uuid[] := '{}';
  no_type_room uuid[] := '{}';
begin
  jobs := '{}'; attempts := '{}';
  more := makegood.unpark_all(p_pool, p_slots);
  select since_oldest into since from makegood.pool where name = p_pool;
  every := coalesce((select oldest_every from makegood.rule where scope = 'pool' and name = p_pool),
                    (select oldest_every from makegood.rule where scope = 'pool' and name = '*'), 8);
  if exists (select 1 from makegood.rule
             where scope <> 'pool' and (running_max is not null or paused_at is not null)) then
    rooms := '{"owner": {}, "type": {}}';
  end if;
  open in_order; open by_age;
  while cardinality(jobs) < p_slots loop
    -- while many of the oldest may not go, others do, and the slot is owed
    oldest := since + 1 >= every and looks_by_age < p_looks_max;
    if oldest then
      fetch by_age into one;
      looks_by_age := looks_by_age + 1;
    else
      exit when looks >= p_looks_max;
      fetch in_order into one;
      looks := looks + 1;
    end if;
    exit when not found;
    continue when one.job_id = any(jobs) or one.job_id = any(no_owner_room) or one.job_id = any(no_type_room);
    if rooms is not null then
      owner_room := coalesce((rooms -> 'owner' ->> one.owner_id)::integer,
                             makegood.room_of(p_pool, 'owner', one.owner_id));
      type_room := coalesce((rooms -> 'type' ->> one.type)::integer,
                            makegood.room_of(p_pool, 'type', one.type));
      if owner_room <= 0 then
        no_owner_room := no_owner_room || one.job_id;
        more := makegood.offer_room(p_pool, 'type', one.type, type_room) or more;
      elsif type_room <= 0 then
        no_type_room := no_type_room || one.job_id;
        more := makegood.offer_room(p_pool, 'owner', one.owner_id, owner_room) or more;
      else
        owner_room := owner_room - 1; type_room := type_room - 1;
      end if;
      rooms := jsonb_set(jsonb_set(rooms, array['owner', one.owner_id], to_jsonb(owner_room)),
                         array['type', one.type], to_jsonb(type_room));
    end if;
    if not (one.job_id = any(no_owner_room) or one.job_id = any(no_type_room)) then
      jobs := jobs || one.job_id; attempts := attempts || one.attempt;
      served := case when oldest then served else served || one.job_id end;
      since := case when oldest then 0 else since + 1 end;
    end if;
  end loop;
  close in_order; close by_age;

  update makegood.job set parked = 'owner' where job_id = any(no_owner_room);
  update makegood.job set parked = 'type' where job_id = any(no_type_room);
  insert into makegood.lane as l (pool, priority, virtual_time)
    select p_pool, j.priority, max(j.start_tag) from makegood.job j
    where j.job_id = any(served) group by j.priority
    on conflict (pool, priority) do update set virtual_time = excluded.virtual_time
    where excluded.virtual_time > l.virtual_time;
  update makegood.pool set since_oldest = since where name = p_pool and since_oldest <> since;
  more := cardinality(jobs) < p_slots and (more or greatest(looks, looks_by_age) >= p_looks_max);
end $$;

-- Note whose room has grown by jobs that left a slot or the queue, where there are limits. Called by job_after.
create function makegood.note_freed(p_pools text[], p_owners text[], p_types text[]) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into makegood.freed (pool, scope, name)
  select distinct g.pool, n.scope, n.name
  from unnest(p_pools, p_owners, p_types) as g (pool, owner_id, type)
  cross join lateral (values ('owner', g.owner_id), ('type', g.type)) as n (scope, name)
  where exists (select 1 from makegood.rule r
                where r.scope = n.scope and r.name in (n.name, '*') and r.running_max is not null)
$$;

-- A change of what one may have is looked at in every pool.
create function makegood.rule_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.scope <> 'pool' then
    insert into makegood.freed (pool, scope, name) select p.name, new.scope, new.name from makegood.pool p;
  end if;
  return null;
end $$;
create trigger is_obeyed after insert or update on makegood.rule
  for each row execute function makegood.rule_changes();
