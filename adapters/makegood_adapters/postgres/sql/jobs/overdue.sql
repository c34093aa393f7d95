-- Find jobs past the deadline of their state whose result is not known yet, and jobs that wait although they
-- shall be cancelled. Called by Jobs.overdue.
select j.job_id
from makegood.job j
where (j.deadline_at <= makegood.now() or (j.waiting and j.cancel_requested_at is not null))
  and not exists (
    select 1 from makegood.attempt a
    where a.job_id = j.job_id and a.number = j.attempt and j.slot and a.verdict = 'succeeded')
order by j.deadline_at limit $1
