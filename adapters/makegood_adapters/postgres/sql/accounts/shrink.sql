-- Learn that an account has room for no more than the other attempts that it has. Called by Accounts.shrink.
update makegood.provider_account p
set learned = greatest(1, least(p.learned, o.open)), learned_at = makegood.now()
from (
  select count(*)::integer as open from makegood.attempt a
  where a.account = $1 and a.closed_at is null and a.intent_at is not null
    and (a.job_id, a.number) <> ($2, $3)
) o
where p.name = $1
