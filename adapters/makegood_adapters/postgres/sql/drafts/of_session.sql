-- Read the jobs of a session that are not over and were never submitted. Called by Drafts.of_session.
select job_id, owner_id, type, type_version, pool, state, version, price, input::text as input,
       request::text as request, files::text as files, key, priority, attempt, attempts_max, reruns,
       intent_attempt, created_at, entered_at, deadline_at, not_before, cancel_requested_at, finished_at,
       settled, output::text as output, error::text as error, data::text as data, retry_of,
       exclusive_scope, draft, session, metadata::text as metadata
from makegood.job where session = $1 and finished_at is null and intent_attempt is null
order by created_at, job_id limit $2
