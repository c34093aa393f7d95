-- Keep a fact about an attempt, once for each verdict; the first final verdict keeps others out. Called by
-- Attempts.record and Jobs.apply.
insert into makegood.evidence (job_id, attempt, verdict, source, task_id, detail)
select a.job_id, a.number, $3, $4, $5, $6
from makegood.attempt a
where a.job_id = $1 and a.number = $2 and (not $7 or a.verdict is null or a.verdict = $3)
on conflict (job_id, attempt, verdict) do nothing
