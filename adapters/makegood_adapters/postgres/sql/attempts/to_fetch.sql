-- Take succeeded attempts whose job still waits for its result. Called by Attempts.to_fetch.
update makegood.attempt a
set next_fetch_at = makegood.now() + make_interval(secs => $3)
from (
  select o.job_id, o.number from makegood.attempt o
  join makegood.job j on j.job_id = o.job_id and j.attempt = o.number and j.slot
  where o.account = any($1::text[]) and o.verdict = 'succeeded' and o.next_fetch_at <= makegood.now()
  order by o.next_fetch_at limit $2
  for no key update of o skip locked
) due
where a.job_id = due.job_id and a.number = due.number
returning a.job_id, a.number
