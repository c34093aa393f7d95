-- Lock a pool's accounts; the next statement counts their slots. Called by Attempts.dispatch.
select name from makegood.provider_account where pool = $1 and name = any($2::text[]) order by name for update
