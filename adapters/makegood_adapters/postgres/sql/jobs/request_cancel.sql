-- Note that the job shall be cancelled and, if that is new, make its attempt due. Called by Jobs.request_cancel.
with asked as (
  update makegood.job set cancel_requested_at = makegood.now()
  where job_id = $1 and finished_at is null and cancel_requested_at is null
  returning job_id
)
update makegood.attempt a set next_ask_at = makegood.hinted_at()
from asked where a.job_id = asked.job_id and a.closed_at is null
