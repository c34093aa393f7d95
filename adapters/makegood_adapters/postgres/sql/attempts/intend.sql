-- Note that the create call is about to be made, if the lease is still ours. Called by Attempts.intend.
update makegood.attempt
set phase = 'submitting', intent_at = makegood.now(), token_hash = $4,
    lease_until = makegood.now() + make_interval(secs => $5)
where job_id = $1 and number = $2 and epoch = $3 and phase = 'opened'
  and lease_until > makegood.now()
returning job_id
