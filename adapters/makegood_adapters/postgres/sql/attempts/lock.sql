-- Lock an attempt, so that of two verdicts one comes first. Called by Attempts.record and Jobs.apply.
select job_id from makegood.attempt where job_id = $1 and number = $2 for no key update
