-- Make a job's open attempts due now. Called by Attempts.hasten and Hints.
update makegood.attempt set next_ask_at = makegood.now()
where job_id = $1 and closed_at is null
