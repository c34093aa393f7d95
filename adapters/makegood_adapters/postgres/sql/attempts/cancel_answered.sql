-- Note that the provider has answered to the request to cancel. Called by Attempts.cancel_answered.
update makegood.attempt set cancel_answered = true, cancel_late = $3
where job_id = $1 and number = $2 and not cancel_answered
