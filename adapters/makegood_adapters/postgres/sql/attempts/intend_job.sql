-- Note the submission intent on the job itself, by compare and set. Called by Attempts.intend.
update makegood.job set intent_attempt = attempt
where job_id = $1 and attempt = $2 and slot
returning job_id
