-- Read use, capacity and health of every account. Called by Accounts.occupancy.
select p.name, p.pool, p.capacity, p.configured, p.told, p.learned, p.in_use, p.told_at, p.differs_since,
       case when p.others_until > makegood.now() then p.others else 0 end as foreign_tasks,
       p.problem, p.problem_since, p.failures, p.last_error,
       case when p.rests_until > makegood.now() then p.rests_until end as rests_until,
       count(a.job_id) as open,
       count(a.job_id) filter (where j.finished_at is not null) as draining,
       coalesce(q.waiting, 0) as waiting,
       (select count(*) from makegood.evidence e
        join makegood.attempt g on g.job_id = e.job_id and g.number = e.attempt
        where g.account = p.name and e.source = 'draining deadline' and not exists (
          select 1 from makegood.evidence k where k.job_id = e.job_id and k.attempt = e.attempt
            and k.verdict = 'resolved')) as abandoned,
       (select count(*) from makegood.evidence e
        join makegood.attempt g on g.job_id = e.job_id and g.number = e.attempt
        where g.account = p.name and e.source = 'late webhook' and not exists (
          select 1 from makegood.evidence k where k.job_id = e.job_id and k.attempt = e.attempt
            and k.verdict = 'resolved')) as late
from makegood.provider_account p
left join makegood.attempt a on a.account = p.name and a.closed_at is null
left join makegood.job j on j.job_id = a.job_id
left join (select pool, count(*) as waiting from makegood.job where waiting group by pool) q on q.pool = p.pool
group by p.name, q.waiting order by p.name
