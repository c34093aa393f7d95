-- Read a job's attempts, first one first, without their tokens. Called by Attempts.of.
select job_id, number, account, phase, epoch, task_id, ran, asked, opened_at, intent_at, accepted_at,
       closed_at, verdict, outputs::text as outputs, cancel_sent_at, draining_until, null::bytea as token_hash,
       cancel_answered, cancel_late
from makegood.attempt where job_id = $1 order by number
