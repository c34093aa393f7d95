-- Read attempts. Called wherever a snapshot is returned.
select job_id, number, account, phase, epoch, task_id, ran, asked, opened_at, intent_at, accepted_at,
       closed_at, verdict, outputs::text as outputs, cancel_sent_at, draining_until, token_hash, cancel_answered,
       cancel_late
from makegood.attempt
where (job_id, number) in (select job_id, number from unnest($1::uuid[], $2::integer[])
                             as wanted (job_id, number))
order by opened_at, job_id, number
