-- Keep what a provider told of an account. Called by Accounts.surveyed.
update makegood.provider_account p
set told = coalesce($2, p.told), in_use = $3, told_at = makegood.now(),
    differs_since = case when $3 <> o.open then coalesce(p.differs_since, makegood.now()) end,
    failures = 0, last_error = null,
    -- unfit, and now it answers again: one task tries, beside those that are there
    problem = case when p.failures = 0 then p.problem end,
    problem_since = case when p.failures = 0 then p.problem_since end,
    unfits = case when p.failures = 0 then p.unfits else 0 end,
    rests_until = case when p.failures = 0 or p.problem is null then p.rests_until end,
    learned = case when p.failures = 0 or p.problem is null then p.learned else o.open + 1 end,
    learned_at = case when p.failures = 0 or p.problem is null then p.learned_at else makegood.now() end
from (
  select count(*)::integer as open from makegood.attempt
  where account = $1 and closed_at is null and phase in ('accepted', 'uncertain')
) o
where p.name = $1
