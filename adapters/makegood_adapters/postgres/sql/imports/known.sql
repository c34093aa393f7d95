-- Find which of these jobs are here, and what they are. Called by known_jobs.
select job_id, owner_id, type from makegood.job where job_id = any($1::uuid[])
