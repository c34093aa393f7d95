-- Take over opened attempts that nobody works on, of an exclusive account one at a time. Called by Attempts.claim.
update makegood.attempt a
set epoch = a.epoch + 1, lease_until = makegood.now() + make_interval(secs => $3)
from (
  select o.job_id, o.number from makegood.attempt o
  where o.account = any($1::text[]) and o.closed_at is null and o.phase = 'opened'
    and (o.lease_until is null or o.lease_until <= makegood.now())
    and (not exists (select 1 from makegood.provider_account p where p.name = o.account and p.exclusive)
         or not exists (
           select 1 from makegood.attempt b
           where b.account = o.account and b.closed_at is null
             and (b.phase = 'submitting' or b.phase = 'opened'
                  and (b.lease_until > makegood.now() or (b.opened_at, b.job_id) < (o.opened_at, o.job_id)))))
  order by o.opened_at, o.job_id limit $2
  for no key update of o skip locked
) free
where a.job_id = free.job_id and a.number = free.number
returning a.job_id, a.number
