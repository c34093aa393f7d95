-- Name the jobs that have been in their state for $1 seconds longer than they may. Called by Oversight.troubles.
select 'overdue' as kind, j.state as subject, j.job_id, null::integer as attempt, j.owner_id as owner,
       j.deadline_at as since, null::timestamptz as until, null as detail
from makegood.job j
where j.deadline_at <= makegood.now() - make_interval(secs => $1)
order by j.deadline_at limit $2
