-- Lock a job that is still as it was seen, with its attempt, and tell whether the result has become known less than
-- $3 seconds ago, so that it only has to be fetched. Called by Jobs.end.
select a.verdict is not distinct from 'succeeded' and a.closed_at > makegood.now() - make_interval(secs => $3)
from makegood.job j
join makegood.attempt a on a.job_id = j.job_id and a.number = j.attempt
where j.job_id = $1 and j.version = $2 and j.slot
for no key update
