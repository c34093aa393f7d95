-- Mark a submitting attempt as uncertain; its first question is due. Called by Attempts.doubt.
update makegood.attempt set phase = 'uncertain', next_ask_at = makegood.now(), lease_until = null
where job_id = $1 and number = $2 and epoch = $3 and phase = 'submitting'
