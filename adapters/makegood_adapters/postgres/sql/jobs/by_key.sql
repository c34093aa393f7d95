-- Read the job that an owner has submitted with a key. Called by Jobs.by_key.
select job_id, owner_id, type, type_version, pool, state, version, price, input::text as input,
       request::text as request, files::text as files, key, priority, attempt, attempts_max, reruns,
       intent_attempt, created_at, entered_at, deadline_at, not_before, cancel_requested_at, finished_at,
       settled, output::text as output, error::text as error, data::text as data, retry_of,
       exclusive_scope, draft, session, metadata::text as metadata
from makegood.job where owner_id = $1 and key = $2
