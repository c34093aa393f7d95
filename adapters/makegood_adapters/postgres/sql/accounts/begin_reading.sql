-- Read which tasks an account has, and when; no row while one is submitted, or where no count can prove anything.
-- Called by Accounts.begin_reading.
select makegood.now() as began_at,
       coalesce(array_agg(job_id order by job_id) filter (where phase = 'accepted'), '{}') as jobs,
       coalesce(array_agg(number order by job_id) filter (where phase = 'accepted'), '{}') as numbers
from makegood.attempt
where account = $1 and closed_at is null
having not bool_or(phase = 'submitting') and bool_or(phase = 'uncertain' and task_id is null and not count_void)
