-- Count the jobs of a type that are not over, by state. Called by Store.live.
select state, count(*) as jobs
from makegood.job where type = $1 and type_version = $2 and finished_at is null
group by state order by state
