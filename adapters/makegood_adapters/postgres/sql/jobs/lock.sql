-- Lock the job before its attempt: the order everywhere. Called by Jobs.apply.
select job_id from makegood.job where job_id = $1 for no key update
