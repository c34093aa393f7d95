-- Read the last messages about a job, of each the beginning, in the order in which they came. Called by Hints.of.
select attempt, source, task_id, received_at, read, body, length
from (select inbox_id, attempt, source, task_id, received_at, read_at is not null as read,
             left(body, $3) as body, length(body) as length
      from makegood.inbox where job_id = $1 order by inbox_id desc limit $2) last
order by inbox_id
