-- Lock a pool against other dispatchers, and tell whether it is not paused. Called by Attempts.dispatch.
select makegood.lock_pool($1)
