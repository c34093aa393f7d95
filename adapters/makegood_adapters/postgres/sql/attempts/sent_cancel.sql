-- Note that the provider was asked to cancel. Called by Attempts.sent_cancel.
update makegood.attempt set cancel_sent_at = makegood.now()
where job_id = $1 and number = $2 and cancel_sent_at is null
returning job_id, number
