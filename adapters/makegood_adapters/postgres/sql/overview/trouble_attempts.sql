-- Name the attempts whose submission is uncertain, and those whose job has been over for $1 seconds while they hold
-- their slot: of the open ones alone. Called by Oversight.troubles.
select case when a.phase = 'uncertain' then 'uncertain_submit' else 'draining_long' end as kind, a.account as subject,
       a.job_id, a.number as attempt, j.owner_id as owner,
       case when a.phase = 'uncertain' then a.intent_at else j.finished_at end as since,
       case when a.phase <> 'uncertain' then a.draining_until end as until, a.task_id as detail
from makegood.attempt a join makegood.job j on j.job_id = a.job_id
where a.closed_at is null
  and (a.phase = 'uncertain' or j.finished_at <= makegood.now() - make_interval(secs => $1))
order by since limit $2
