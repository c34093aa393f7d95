-- Find jobs by an id or its beginning, a task, a key or an owner, newest first, behind a cursor. The
-- rows are looked up one by one (`offset 0`), however short the table is. Called by Jobs.page.
with named as materialized (
  select job_id from makegood.job where job_id between $11::uuid and $12::uuid
  union select job_id from makegood.attempt where task_id = $10::text
  union select job_id from makegood.job where key = $10::text
), found as materialized (
  (select j.job_id, j.created_at from named n
   cross join lateral (select job_id, created_at, owner_id, state, type, finished_at
                       from makegood.job where job_id = n.job_id offset 0) j
   where true
  and (created_at, j.job_id) < (coalesce($6::timestamptz, 'infinity'), coalesce($7::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
  and created_at >= coalesce($4, '-infinity'::timestamptz) and created_at < coalesce($5, 'infinity'::timestamptz)
  and (cardinality($1::text[]) = 0 or state = any($1)) and ($2::text is null or type = $2)
  and ($3::boolean is null or (finished_at is null) = $3) and ($9::text is null or owner_id = $9)
   order by created_at desc, j.job_id desc limit $8)
  union
  (select job_id, created_at from makegood.job where owner_id = $10::text
  and (created_at, job_id) < (coalesce($6::timestamptz, 'infinity'), coalesce($7::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
  and created_at >= coalesce($4, '-infinity'::timestamptz) and created_at < coalesce($5, 'infinity'::timestamptz)
  and (cardinality($1::text[]) = 0 or state = any($1)) and ($2::text is null or type = $2)
  and ($3::boolean is null or (finished_at is null) = $3) and ($9::text is null or owner_id = $9)
   order by created_at desc, job_id desc limit $8)
), last as (
  select job_id from found order by created_at desc, job_id desc limit $8
)
select j.* from last
cross join lateral (
  select job_id, owner_id, type, type_version, pool, state, version, price, input::text as input,
         request::text as request, files::text as files, key, priority, attempt, attempts_max, reruns,
         intent_attempt, created_at, entered_at, deadline_at, not_before, cancel_requested_at, finished_at,
         settled, output::text as output, error::text as error, data::text as data, retry_of,
         exclusive_scope, draft, session, metadata::text as metadata
  from makegood.job where job_id = last.job_id offset 0) j
order by j.created_at desc, j.job_id desc
