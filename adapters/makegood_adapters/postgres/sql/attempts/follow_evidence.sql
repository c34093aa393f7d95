-- Bring the attempt up to the evidence; the first final verdict wins. Called by Attempts.record and Jobs.apply.
update makegood.attempt
set task_id = coalesce(task_id, $4),
    accepted_at = case when $3 = 'accepted' then coalesce(accepted_at, makegood.now())
                       else accepted_at end,
    phase = case when closed_at is not null then phase
                 when $5 then 'closed'
                 when $3 = 'accepted' then 'accepted'
                 else phase end,
    closed_at = case when $5 then coalesce(closed_at, makegood.now()) else closed_at end,
    verdict = case when $5 and closed_at is null then $3 else verdict end,
    outputs = case when $3 = 'succeeded' and closed_at is null then $6 else outputs end,
    next_fetch_at = case when $3 = 'succeeded' and closed_at is null then makegood.now()
                         else next_fetch_at end,
    next_ask_at = case when $3 = 'accepted' then makegood.now() else next_ask_at end
where job_id = $1 and number = $2
returning job_id, number
