-- Count the waiting jobs of each pool and priority, and say since when the oldest waits. Called by overview.
select pool, priority, count(*) as waiting, count(*) filter (where parked <> 'no') as parked,
       min(queued_at) as oldest
from makegood.job where waiting
group by pool, priority order by pool, priority desc
