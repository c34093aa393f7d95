-- Tell where a job waits and what its wait depends on; no row if it does not. Called by Queue.standing.
select sum(s.upto)::bigint as position, sum(s.waiting)::bigint as length, bool_and(s.exact) as exact,
       (sum(s.upto) filter (where s.parked = 'no'))::bigint as rivals,
       coalesce(min(s.marked_at) filter (where not s.exact), makegood.now()) as at,
       makegood.now() as now, j.pool, j.parked, j.not_before
from makegood.job j cross join lateral makegood.standing(j.job_id, $2) as s
where j.job_id = $1
group by j.job_id
