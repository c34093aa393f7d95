-- Count what happened in the last $1 seconds, of at most $2 last transitions: the outbox has one row for each, in their
-- order, and is read from its end to the first of a few places that is older. Called by overview.
with old as (  -- of a few places, the nearest to the end before which everything is older
  select x.outbox_id
  from (select max(outbox_id) as last from makegood.outbox) e
  cross join unnest(array[64, 256, 1024, 4096]) as places (n)
  cross join lateral (
    select o.outbox_id, o.job_id, o.version from makegood.outbox o
    where o.outbox_id <= e.last - places.n order by o.outbox_id desc limit 1) x
  cross join lateral (
    select h.at from makegood.history h where h.job_id = x.job_id and h.version = x.version offset 0) h
  where h.at <= makegood.now() - make_interval(secs => $1)
  order by places.n limit 1
)
select h.event, h.to_state, count(*) as moves, min(h.at) as first
from (
  select o.job_id, o.version from makegood.outbox o
  where o.outbox_id > coalesce((select outbox_id from old), 0) order by o.outbox_id desc limit $2) last
cross join lateral (
  select x.event, x.to_state, x.at from makegood.history x
  where x.job_id = last.job_id and x.version = last.version offset 0) h
where h.at > makegood.now() - make_interval(secs => $1)
group by h.event, h.to_state
