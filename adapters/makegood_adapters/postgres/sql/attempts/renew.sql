-- Prolong a worker's lease while its upload goes on, and let the job's deadline follow. Called by Attempts.renew.
with going_on as (
  update makegood.job j set progress_at = makegood.now()
  from makegood.attempt a
  where j.job_id = $1 and j.slot and j.attempt = $2 and a.job_id = j.job_id and a.number = j.attempt
    and a.epoch = $3 and a.phase = 'opened' and a.lease_until > makegood.now()
  returning j.job_id, j.attempt
)
update makegood.attempt a set lease_until = makegood.now() + make_interval(secs => $4)
from going_on g
where a.job_id = g.job_id and a.number = g.attempt and a.epoch = $3 and a.phase = 'opened'
returning a.job_id
