-- Find the job that an insert would repeat: by id or by (owner, key). Called by Jobs.insert.
select job_id, owner_id, type, input_digest from makegood.job
where job_id = $1 or (owner_id = $2 and key = $3)
order by job_id = $1 desc limit 1
