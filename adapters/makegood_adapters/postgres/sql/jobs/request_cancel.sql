-- Note that the job shall be cancelled, and make its attempt due. Called by Jobs.request_cancel.
with asked as (
  update makegood.job set cancel_requested_at = coalesce(cancel_requested_at, makegood.now())
  where job_id = $1 and finished_at is null
  returning job_id
)
update makegood.attempt a set next_ask_at = makegood.now()
from asked where a.job_id = asked.job_id and a.closed_at is null
