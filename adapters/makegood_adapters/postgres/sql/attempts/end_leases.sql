-- A submission whose worker is gone is uncertain. Called by Attempts.due.
update makegood.attempt a set phase = 'uncertain', next_ask_at = makegood.now()
from (
  select o.job_id, o.number from makegood.attempt o
  where o.closed_at is null and o.phase = 'submitting' and o.lease_until <= makegood.now()
  for no key update skip locked
) gone
where a.job_id = gone.job_id and a.number = gone.number
