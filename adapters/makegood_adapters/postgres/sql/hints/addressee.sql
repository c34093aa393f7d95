-- Read the attempts that were submitted with these webhook tokens. Called by Hints.addressee.
select job_id, number, account, phase, epoch, task_id, ran, asked, opened_at, intent_at, accepted_at,
       closed_at, verdict, outputs::text as outputs, cancel_sent_at, draining_until, token_hash, cancel_answered,
       cancel_late
from makegood.attempt
where token_hash = any($1::bytea[])
