-- Note that an account cannot be used, and tell whether another one of its pool can. Called by Accounts.unfit.
with unfit as (
  update makegood.provider_account
  set problem = $2, problem_since = coalesce(problem_since, makegood.now()), refusals = 0, rests = 0,
      rests_until = makegood.now() + make_interval(secs => least($3 * 2 ^ least(unfits, 20), $4)),
      unfits = unfits + 1
  where name = $1 and (problem is null or rests_until is null or rests_until <= makegood.now())
)
select exists (
  select 1 from makegood.provider_account p join makegood.provider_account o on o.pool = p.pool
  where p.name = $1 and o.name <> p.name and o.problem is null and o.capacity > 0
    and o.next_survey_at > makegood.now() - interval '1 hour') as another
