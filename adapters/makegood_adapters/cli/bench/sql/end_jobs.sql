-- Cancel the queued jobs with the numbers $1 to $2, credits back. Called before claims are measured.
update makegood.job
set state = 'cancelled', event = 'cancel', operation_id = gen_random_uuid(), actor = 'preparation', reason = null
where job_id between ('00000000-0000-7000-8000-' || lpad(to_hex($1::bigint), 12, '0'))::uuid
                 and ('00000000-0000-7000-8000-' || lpad(to_hex($2::bigint), 12, '0'))::uuid
