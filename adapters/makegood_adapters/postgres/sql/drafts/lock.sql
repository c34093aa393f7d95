-- Lock a job that is still a draft, so that nobody completes it meanwhile. Called by Jobs.apply.
select job_id from makegood.job where job_id = $1 and draft for no key update
