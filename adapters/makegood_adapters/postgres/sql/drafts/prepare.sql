-- Complete a draft that is not over. Called by Drafts.prepare.
update makegood.job set draft = false, price = $2, input = $3::jsonb, request = $4::jsonb, files = $5::jsonb,
       type = coalesce($6, type), type_version = coalesce($7, type_version), pool = coalesce($8, pool),
       attempts_max = coalesce($9, attempts_max)
where job_id = $1 and draft and finished_at is null
