-- Take the next jobs of a pool's queue that nobody else holds. Called by Attempts.dispatch.
select jobs, attempts, more from makegood.take_waiting($1, $2, $3)
