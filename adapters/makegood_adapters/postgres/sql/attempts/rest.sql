-- Let a full account rest, longer each time in a row. Called by Attempts.rest.
update makegood.provider_account
set rests_until = makegood.now() + make_interval(secs => least($2 * 2 ^ least(rests, 20), $3)),
    rests = rests + 1
where name = $1 and (rests_until is null or rests_until <= makegood.now())
