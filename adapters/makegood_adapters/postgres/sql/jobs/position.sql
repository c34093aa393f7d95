-- Tell at which place of its queue a job waits, 0 if it does not. Called by Jobs.position.
select coalesce(sum(upto), 0)::bigint as position from makegood.standing($1, $2)
