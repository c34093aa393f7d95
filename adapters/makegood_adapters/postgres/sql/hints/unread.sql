-- Read the hints about an attempt that nobody has dealt with. Called by Hints.unread.
select inbox_id, job_id, attempt, source, task_id, received_at
from makegood.inbox where job_id = $1 and attempt = $2 and read_at is null order by inbox_id
