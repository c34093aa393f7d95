-- Take the next jobs of a pool's queue that nobody else holds. Called by Attempts.dispatch.
select job_id, attempt from makegood.job
where pool = $1 and parked = 'no' and waiting and cancel_requested_at is null
  and (not_before is null or not_before <= makegood.now())
order by priority desc, start_tag, queued_at, job_id limit $2
for no key update skip locked
