-- Queue the jobs with the numbers $1 to $2, credits held. Called before refunds are measured.
update makegood.job
set state = 'queued', event = 'accept', operation_id = gen_random_uuid(), actor = 'preparation', reason = null
where job_id between ('00000000-0000-7000-8000-' || lpad(to_hex($1::bigint), 12, '0'))::uuid
                 and ('00000000-0000-7000-8000-' || lpad(to_hex($2::bigint), 12, '0'))::uuid
