-- Count the jobs that have a deadline or wait, by type and state: those that are over have neither, and of these
-- there may be millions. Called by open_jobs.
select type, state, count(*) as jobs, extract(epoch from makegood.now() - min(entered_at))::float8 as oldest_seconds
from makegood.job where deadline_at is not null or waiting
group by type, state order by type, state
