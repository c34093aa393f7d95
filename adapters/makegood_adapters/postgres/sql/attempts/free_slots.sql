-- Count the free slots of a pool's locked accounts. Called by Attempts.dispatch.
select p.name, p.capacity - count(a.job_id) as free
from makegood.provider_account p
left join makegood.attempt a on a.account = p.name and a.closed_at is null
where p.pool = $1 and p.name = any($2::text[])
  and (p.rests_until is null or p.rests_until <= makegood.now()) group by p.name, p.capacity order by free desc, p.name
