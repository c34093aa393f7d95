-- Read use and capacity of every account. Called by Attempts.occupancy.
select p.name, p.pool, p.capacity,
       count(a.job_id) as open,
       count(a.job_id) filter (where j.finished_at is not null) as draining,
       (select count(*) from makegood.job w where w.pool = p.pool and w.waiting) as waiting
from makegood.provider_account p
left join makegood.attempt a on a.account = p.name and a.closed_at is null
left join makegood.job j on j.job_id = a.job_id
group by p.name order by p.name
