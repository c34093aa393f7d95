-- Read the hints about attempts that nobody has dealt with. Called by Hints.unread.
select inbox_id, job_id, attempt, source, task_id, received_at
from makegood.inbox
where (job_id, attempt) in (select job_id, attempt from unnest($1::uuid[], $2::integer[])
                              as wanted (job_id, attempt)) and read_at is null
order by inbox_id
