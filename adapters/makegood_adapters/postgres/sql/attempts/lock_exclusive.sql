-- Lock the accounts whose submissions are made one at a time; the next statement sees those. Called by Attempts.claim.
select name from makegood.provider_account where name = any($1::text[]) and exclusive
order by name for no key update
