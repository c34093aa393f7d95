-- Set when a result that waits may be fetched next. Called by Attempts.fetch_after.
update makegood.attempt set next_fetch_at = makegood.now() + make_interval(secs => $3)
where job_id = $1 and number = $2 and next_fetch_at is not null
