-- Count the free slots of a pool's locked accounts, that is, those that may be taken now: of an unfit account one job
-- tries, at an exclusive one a single job waits in its slot for its turn, and tasks of others take places, though
-- never the last one. Called by Attempts.dispatch.
select p.name, least(p.capacity - count(a.job_id),
                     case when p.problem is not null then 1 when p.exclusive then 2 end
                     - count(a.job_id) filter (where a.phase in ('opened', 'submitting')),
                     case when p.others > 0 and p.others_until > makegood.now()
                       then greatest(1, coalesce(p.told, p.capacity) - p.others) end - count(a.job_id)) as free
from makegood.provider_account p
left join makegood.attempt a on a.account = p.name and a.closed_at is null
where p.pool = $1 and p.name = any($2::text[])
  and (p.rests_until is null or p.rests_until <= makegood.now()) group by p.name order by free desc, p.name
