-- Merge keys into what is kept beside a job, unless it became more than that many bytes. Called by Drafts.annotate.
update makegood.job set metadata = metadata || $2::jsonb
where job_id = $1 and octet_length((metadata || $2::jsonb)::text) <= $3
