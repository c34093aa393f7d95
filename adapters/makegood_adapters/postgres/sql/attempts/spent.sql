-- Find attempts that drained longer than they may. Called by Attempts.spent.
select job_id, number from makegood.attempt
where closed_at is null and draining_until <= makegood.now()
order by draining_until limit $1
