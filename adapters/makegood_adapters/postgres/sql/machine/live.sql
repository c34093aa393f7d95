-- Count the jobs of a type that are not over, by state: each of them has a deadline or waits, and of those that are over
-- there may be millions. Called by Store.live.
select state, count(*) as jobs
from makegood.job where (deadline_at is not null or waiting) and type = $1 and type_version = $2
group by state order by state
