-- Keep a fact about an attempt, once for each verdict. Called by Attempts.record and Jobs.apply.
insert into makegood.evidence (job_id, attempt, verdict, source, task_id, detail)
values ($1, $2, $3, $4, $5, $6)
on conflict (job_id, attempt, verdict) do nothing
