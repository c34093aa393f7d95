-- List jobs of one owner, newest first, behind a cursor. Called by Jobs.page.
select job_id, owner_id, type, type_version, pool, state, version, price, input::text as input,
       request::text as request, files::text as files, key, priority, attempt, attempts_max, reruns,
       intent_attempt, created_at, entered_at, deadline_at, not_before, cancel_requested_at, finished_at,
       settled, output::text as output, error::text as error, data::text as data, retry_of,
       exclusive_scope, draft, session, metadata::text as metadata
from makegood.job
where owner_id = $9
  and (created_at, job_id) < (coalesce($6::timestamptz, 'infinity'), coalesce($7::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
  and created_at >= coalesce($4, '-infinity'::timestamptz) and created_at < coalesce($5, 'infinity'::timestamptz)
  and (cardinality($1::text[]) = 0 or state = any($1)) and ($2::text is null or type = $2)
  and ($3::boolean is null or (finished_at is null) = $3)
order by created_at desc, job_id desc limit $8
