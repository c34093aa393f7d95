-- Lock a pool's accounts; the next statement counts their slots. Called by Attempts.dispatch.
select name from makegood.provider_account where pool = $1 order by name for update
