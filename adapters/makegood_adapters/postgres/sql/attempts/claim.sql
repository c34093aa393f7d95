-- Take over opened attempts that nobody works on. Called by Attempts.claim.
update makegood.attempt a
set epoch = a.epoch + 1, lease_until = makegood.now() + make_interval(secs => $3)
from (
  select o.job_id, o.number from makegood.attempt o
  where o.account = any($1::text[]) and o.closed_at is null and o.phase = 'opened'
    and (o.lease_until is null or o.lease_until <= makegood.now())
  order by o.opened_at, o.job_id limit $2
  for no key update of o skip locked
) free
where a.job_id = free.job_id and a.number = free.number
returning a.job_id, a.number
