-- Find out whether an operation was carried out. Called by Jobs.apply.
select job_id from makegood.history where operation_id = $1
