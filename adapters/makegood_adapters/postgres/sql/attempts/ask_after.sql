-- Set when an attempt may be asked about next. Called by Attempts.ask_after.
update makegood.attempt set next_ask_at = makegood.now() + make_interval(secs => $3)
where job_id = $1 and number = $2 and next_ask_at is not null
