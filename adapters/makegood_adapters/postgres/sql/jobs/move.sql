-- Compare and set transitions, with their evidence. Called by Jobs.apply.
select job_id, state, version, priority, attempt, reruns, intent_attempt, entered_at, deadline_at, not_before,
       cancel_requested_at, finished_at, settled, output::text as output, error::text as error,
       data::text as data, operation_id, metadata::text as metadata
from makegood.move_jobs($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
