-- Insert the jobs with the numbers $1 to $2, for $3 owners in turn. Called before a slice is measured.
insert into makegood.job (job_id, owner_id, type, type_version, pool, state, price, input, request, attempts_max,
                          actor)
select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'owner-' || n % $3::bigint, $4, $5, $6,
       'pending', $7, '{}', '{"input": {}}', 3, 'preparation'
from generate_series($1::bigint, $2::bigint) as n
