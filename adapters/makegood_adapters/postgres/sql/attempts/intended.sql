-- Find out whether this very intent was committed before and still stands. Called by Attempts.intend.
select a.job_id
from makegood.attempt a join makegood.job j on j.job_id = a.job_id
where a.job_id = $1 and a.number = $2 and a.epoch = $3 and a.token_hash = $4
  and a.phase = 'submitting' and a.lease_until > makegood.now()
  and j.slot and j.attempt = a.number
