-- Tell where a job waits and what its wait depends on; no row if it does not. Called by Queue.standing.
select sum(s.upto)::bigint as position, sum(s.waiting)::bigint as length, bool_and(s.exact) as exact,
       (sum(s.upto) filter (where s.parked = 'no'))::bigint as rivals,
       coalesce(min(s.marked_at) filter (where not s.exact), makegood.now()) as at,
       makegood.now() as now, j.pool, j.parked, j.not_before, j.version,
       j.parked in ('owner', 'type') or exists (
         select from makegood.rule r
         where (r.scope, r.name) in (('pool', j.pool), ('type', j.type), ('owner', j.owner_id))
           and r.paused_at is not null and (r.paused_until is null or r.paused_until > makegood.now())) as held_back
from makegood.job j cross join lateral makegood.standing(j.job_id, $2) as s
where j.job_id = $1
group by j.job_id
