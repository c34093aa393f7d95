-- Let an account rest, longer each time in a row, and tell how often it was refused. Called by Accounts.rest.
with rested as (
  update makegood.provider_account
  set rests_until = makegood.now() + make_interval(secs => least($2 * 2 ^ least(rests, 20), $3)),
      rested_at = makegood.now(), rests = rests + 1, refusals = refusals + $4::boolean::integer
  where name = $1 and (rests_until is null or rests_until <= makegood.now())
  returning refusals
)
select coalesce((select refusals from rested),
                (select refusals from makegood.provider_account where name = $1), 0) as refusals
