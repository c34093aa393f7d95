-- Complete a draft that is not over. Called by Drafts.prepare.
update makegood.job set draft = false, price = $2, input = $3::jsonb, request = $4::jsonb, files = $5::jsonb
where job_id = $1 and draft and finished_at is null
