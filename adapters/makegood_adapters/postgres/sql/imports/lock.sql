-- Keep others from bringing in jobs while this connection does; false: one of them is at it. Called by lock_imports.
select pg_try_advisory_lock(hashtextextended('makegood.import', 0)) as ours
