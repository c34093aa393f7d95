-- Name the attempts with evidence that nobody could settle, and that no person has looked into yet. Called by
-- Oversight.troubles.
select case e.source when 'late webhook' then 'late_result' else 'abandoned_task' end as kind, a.account as subject,
       e.job_id, e.attempt, j.owner_id as owner, e.at as since, null::timestamptz as until,
       coalesce(e.task_id, a.task_id) as detail
from makegood.evidence e
join makegood.attempt a on a.job_id = e.job_id and a.number = e.attempt
join makegood.job j on j.job_id = e.job_id
where e.source in ('draining deadline', 'late webhook') and not exists (
  select 1 from makegood.evidence k where k.job_id = e.job_id and k.attempt = e.attempt and k.verdict = 'resolved')
order by e.at limit $1
