-- Read a job's transitions after a version. Called by Jobs.history.
select job_id, version, operation_id, owner_id, type, event, from_state, to_state, actor, reason,
       attempt, at
from makegood.history
where job_id = $1 and version > $2 and ($3::text is null or owner_id = $3) order by version
