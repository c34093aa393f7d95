-- Insert jobs in their initial state, each once. Called by Jobs.insert.
select job_id, owner_id, type, type_version, pool, state, version, price, input::text as input,
       request::text as request, files::text as files, key, priority, attempt, attempts_max, reruns,
       intent_attempt, created_at, entered_at, deadline_at, not_before, cancel_requested_at, finished_at,
       settled, output::text as output, error::text as error, data::text as data, retry_of,
       exclusive_scope, draft, session, metadata::text as metadata
from makegood.insert_jobs($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                          $18, $19, $20)
