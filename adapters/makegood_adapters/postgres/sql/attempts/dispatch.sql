-- Move jobs to the state in which their new attempt lives. Called by Attempts.dispatch.
update makegood.job j
set state = e.to_state, event = e.event, attempt = j.attempt + 1, operation_id = t.operation_id,
    actor = 'dispatcher', reason = null
from unnest($1::uuid[], $2::uuid[]) as t (job_id, operation_id), makegood.machine_edge e
where j.job_id = t.job_id and e.type = j.type and e.version = j.type_version
  and e.from_state = j.state and e.opens_attempt
