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
