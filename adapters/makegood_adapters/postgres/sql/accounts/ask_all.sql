-- Make every task of an account due whose provider counts fewer than we do, once. Called by Accounts.ask_all.
with fewer as (
  update makegood.provider_account set fewer_asked = true
  where name = $1 and not fewer_asked and fewer_since <= makegood.now() - make_interval(secs => $2)
  returning name
), ours as (
  select o.job_id, o.number from makegood.attempt o join fewer f on f.name = o.account
  where o.closed_at is null and o.phase in ('accepted', 'uncertain')
  order by o.job_id, o.number
  for no key update of o skip locked
)
update makegood.attempt a set next_ask_at = makegood.now()
from ours where a.job_id = ours.job_id and a.number = ours.number
returning a.job_id
