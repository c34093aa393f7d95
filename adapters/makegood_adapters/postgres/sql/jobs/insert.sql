-- Insert a job in its initial state, once. Called by Jobs.insert.
insert into makegood.job (job_id, owner_id, type, type_version, pool, state, price, input, request,
                          files, key, priority, attempts_max, retry_of, actor, input_digest)
select $1, $2, $3, $4, $5, s.name, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
from makegood.machine_state s where s.type = $3 and s.version = $4 and s.is_initial
on conflict do nothing
returning job_id
