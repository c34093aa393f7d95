-- Tell who waits first in the pools $1, at most $2 of them, by turns: of each way of waiting the first ones, put
-- into the one order of the queue. Called by Oversight.line.
with found as (
  select j.* from unnest($1::text[]) as p (name)
  cross join unnest(array['no', 'time', 'owner', 'type']) as w (way)
  cross join lateral (
    select j.job_id, j.owner_id, j.type, j.pool, j.priority, j.start_tag, j.queued_at, j.not_before, j.parked
    from makegood.job j where j.waiting and j.pool = p.name and j.parked = w.way
    order by j.priority desc, j.start_tag, j.queued_at, j.job_id limit $2) j
), placed as (
  select f.*, row_number() over turn as position, count(*) filter (where f.parked = 'no') over turn as ready
  from found f window turn as (partition by f.pool order by f.priority desc, f.start_tag, f.queued_at, f.job_id)
)
select f.job_id, f.owner_id, f.type, f.pool, f.priority, f.position, f.queued_at, f.not_before, f.parked,
       f.ready + (f.parked <> 'no')::integer as rivals, r.scope as paused, r.reason
from placed f
left join lateral (
  select x.scope, x.reason from makegood.rule x
  where (x.scope, x.name) in (('pool', f.pool), ('type', f.type), ('owner', f.owner_id))
    and x.paused_at is not null and (x.paused_until is null or x.paused_until > makegood.now())
  order by array_position(array['pool', 'type', 'owner'], x.scope) limit 1) r on true
where f.position <= $2
order by f.position, f.pool limit $2
