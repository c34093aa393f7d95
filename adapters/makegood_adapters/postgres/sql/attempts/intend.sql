-- Note that create calls are about to be made, if the leases are still ours. Called by Attempts.intend.
select job_id from makegood.intend_attempts($1, $2, $3, $4, $5, $6) as intended (job_id)
