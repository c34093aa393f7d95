-- Lease an attempt that was opened for a task that runs already. Called by take_over.
update makegood.attempt set epoch = epoch + 1, lease_until = makegood.now() + interval '1 minute'
where job_id = $1 and number = $2
returning epoch
