-- Note that the provider has begun to work. Called by Attempts.saw_running.
update makegood.attempt set ran = true where job_id = $1 and number = $2 and not ran
