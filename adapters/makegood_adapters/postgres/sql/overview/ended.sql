-- Count the jobs that ended in the last $1 seconds, by type and state, each to $2, without those whose end the stream
-- has not told yet. Called by Oversight.overview.
with untold as materialized (  -- the first step of each job of which the stream has not told yet
  select distinct on (o.job_id) o.job_id, h.from_state
  from makegood.stream s
  cross join lateral unnest(s.gaps + int8multirange(int8range(s.reached + 1, null))) as g (part)
  cross join lateral (
    select x.job_id, x.version from makegood.outbox x
    where x.outbox_id >= lower(g.part) and x.outbox_id < coalesce(upper(g.part), 9223372036854775807)
    order by x.outbox_id limit $3) o
  cross join lateral (
    select x.from_state from makegood.history x where x.job_id = o.job_id and x.version = o.version offset 0) h
  order by o.job_id, o.version
)
select f.type, f.state, greatest(0, f.jobs - coalesce(o.jobs, 0)) as jobs
from (
  select m.type, m.name as state, e.jobs
  from (select distinct type, name from makegood.machine_state where is_terminal) m
  cross join lateral (
    select count(*) as jobs
    from (select from makegood.job j
          where j.type = m.type and j.state = m.name
            and j.finished_at > makegood.now() - make_interval(secs => $1) limit $2) x) e
  where e.jobs > 0
) f
left join (
  select j.type, j.state, count(*) as jobs
  from untold u cross join lateral (
    select x.type, x.state, x.finished_at from makegood.job x where x.job_id = u.job_id offset 0) j
  where j.finished_at > makegood.now() - make_interval(secs => $1)
  group by j.type, j.state
) o on o.type = f.type and o.state = f.state
where f.jobs > coalesce(o.jobs, 0)
order by f.type, f.state
