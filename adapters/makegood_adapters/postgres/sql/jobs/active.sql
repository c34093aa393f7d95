-- Find the job of an owner that is not over in an exclusive scope. Called by Jobs.insert and Jobs.active.
select job_id from makegood.job where owner_id = $1 and exclusive_scope = $2 and finished_at is null
