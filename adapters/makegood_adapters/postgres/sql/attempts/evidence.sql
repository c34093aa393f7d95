-- Read what is known about a job's attempts, in the order in which it was learned. Called by Attempts.evidence.
select job_id, attempt, verdict, source, task_id, detail, at
from makegood.evidence where job_id = $1 order by evidence_id
