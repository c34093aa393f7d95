-- Count the jobs that have a deadline or wait, by type and state, as the stream has told of them: where steps of a
-- job have no place yet, it is still where the first of them began. Called by Oversight.overview.
with untold as materialized (  -- the first step of each job of which the stream has not told yet
  select distinct on (o.job_id) o.job_id, h.from_state
  from makegood.stream s
  cross join lateral unnest(s.gaps + int8multirange(int8range(s.reached + 1, null))) as g (part)
  cross join lateral (
    select x.job_id, x.version from makegood.outbox x
    where x.outbox_id >= lower(g.part) and x.outbox_id < coalesce(upper(g.part), 9223372036854775807)
    order by x.outbox_id limit $1) o
  cross join lateral (
    select x.from_state from makegood.history x where x.job_id = o.job_id and x.version = o.version offset 0) h
  order by o.job_id, o.version
)
select f.type, f.state, count(*) as jobs
from (
  select j.type, j.state from makegood.job j
  where (j.deadline_at is not null or j.waiting) and j.job_id not in (select u.job_id from untold u)
  union all
  select j.type, u.from_state
  from untold u cross join lateral (select x.type from makegood.job x where x.job_id = u.job_id offset 0) j
  where u.from_state is not null
) f
group by f.type, f.state order by f.type, f.state
