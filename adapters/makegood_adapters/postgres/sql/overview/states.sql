-- Count the jobs that have a deadline or wait, by state: those that are over have neither, and of these there may
-- be millions. Called by overview.
select state, count(*) as jobs, min(entered_at) as oldest
from makegood.job where deadline_at is not null or waiting
group by state order by state
