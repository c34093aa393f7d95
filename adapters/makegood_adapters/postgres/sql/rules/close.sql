-- Close a job type whose last $2 jobs were refused for what the type asks for, within $3 seconds, since its rule was
-- changed last and with none accepted in between; no row if it is closed already, or not to be. Called by Rules.close.
with refused as materialized (
  select e.evidence_id
  from makegood.evidence e
  where e.detail ->> 'job_type' = $1 and e.verdict = 'rejected'
    and e.at > makegood.now() - make_interval(secs => $3)
    and e.at > coalesce((select r.changed_at from makegood.rule r where r.scope = 'type' and r.name = $1), '-infinity')
  order by e.evidence_id desc limit $2
)
insert into makegood.rule as r (scope, name, actor, reason, paused_at, closed)
select 'type', $1, $4, $5, makegood.now(), true
where (select count(*) from refused) = $2 and not exists (
  select from makegood.evidence e
  where e.evidence_id > (select min(evidence_id) from refused) and e.verdict = 'accepted'
    and (select j.type from makegood.job j where j.job_id = e.job_id) = $1)
on conflict (scope, name) do update
set actor = excluded.actor, reason = excluded.reason, closed = true, changed_at = makegood.now(),
    paused_at = coalesce(r.paused_at, excluded.paused_at), paused_until = null
where not r.closed or r.paused_until <= makegood.now()
returning scope, name, running_max, weight, oldest_every, paused_at, paused_until, reason, closed, actor,
          changed_at
