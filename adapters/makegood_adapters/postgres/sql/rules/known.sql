-- Name the pools or job types that there are. Called by Rules.limit and Rules.pause.
select name from makegood.pool where $1 = 'pool'
union select pool from makegood.provider_account where $1 = 'pool'
union select type from makegood.machine where $1 = 'type'
order by name
