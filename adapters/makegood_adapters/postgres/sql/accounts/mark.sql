-- Mark which tasks an account has; null while one is submitted. Called by Accounts.mark.
select case when not coalesce(bool_or(phase = 'submitting'), false) then coalesce(
         md5(string_agg(job_id || '/' || number, ' ' order by job_id)
             filter (where phase in ('accepted', 'uncertain'))), 'none') end as mark
from makegood.attempt where account = $1 and closed_at is null
