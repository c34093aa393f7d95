-- Keep what a client reports about a job, once. Called by Hints.report.
insert into makegood.inbox (job_id, attempt, source, digest, body)
select job_id, attempt, $2, $3, $4 from makegood.job where job_id = $1
on conflict (job_id, attempt, source, digest) do update set copies = inbox.copies + 1
