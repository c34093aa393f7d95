-- Count the jobs that are not over, by type and version: each of them has a deadline or waits. Called by
-- Store.live_types.
select type, type_version, count(*) as jobs
from makegood.job where deadline_at is not null or waiting
group by type, type_version order by type, type_version
