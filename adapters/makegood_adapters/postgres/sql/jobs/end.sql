-- Take the edge that the stored machine has for the deadline of a job's state, whatever types this process
-- knows. Called by Jobs.end.
update makegood.job j
set state = e.to_state, event = e.event, operation_id = $3, actor = $4, reason = $5, error = $6, data = null
from makegood.machine_state s, makegood.machine_edge e
where j.job_id = $1 and j.version = $2
  and s.type = j.type and s.version = j.type_version and s.name = j.state
  and e.type = j.type and e.version = j.type_version and e.from_state = j.state
  and e.event = s.deadline_event
returning j.job_id
