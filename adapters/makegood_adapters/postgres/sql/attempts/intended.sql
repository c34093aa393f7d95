-- Find out whether this very intent was committed before. Called by Attempts.intend.
select job_id from makegood.attempt where job_id = $1 and number = $2 and token_hash = $3
