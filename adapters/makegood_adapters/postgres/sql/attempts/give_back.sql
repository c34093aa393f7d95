-- End this worker's lease on an attempt that was not sent. Called by Attempts.give_back.
update makegood.attempt set lease_until = null
where job_id = $1 and number = $2 and epoch = $3 and phase = 'opened'
