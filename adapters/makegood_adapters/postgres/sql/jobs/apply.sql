-- Compare and set one transition; the triggers do the rest. Called by Jobs.apply.
update makegood.job
set state = $5, event = $4, operation_id = $6, actor = $7, reason = $8,
    settled = coalesce($9, settled), output = coalesce($10, output), error = $11, data = $13,
    not_before = makegood.now() + make_interval(secs => $12::double precision)
where job_id = $1 and version = $2 and state = $3
returning job_id
