-- Count, by account, the create calls of which nobody knows whether they made a task, and tell for how long the oldest
-- job is over whose task still holds a slot. Called by open_attempts.
select p.name as account, count(a.job_id) filter (where a.phase = 'uncertain') as uncertain,
       coalesce(extract(epoch from makegood.now() - min(j.finished_at)), 0)::float8 as draining_seconds
from makegood.provider_account p
left join makegood.attempt a on a.account = p.name and a.closed_at is null
left join makegood.job j on j.job_id = a.job_id
group by p.name order by p.name
