-- Name the job types that take no new jobs, and endpoints that fail or are disabled, but not by a person ($1). Called
-- by Oversight.troubles.
(select 'type_refused' as kind, r.name as subject, null::uuid as job_id, null::integer as attempt, null as owner,
        r.paused_at as since, r.paused_until as until, r.reason as detail
 from makegood.rule r where r.scope = 'type' and r.closed and (r.paused_until is null or r.paused_until > makegood.now())
 order by r.paused_at limit $2)
union all
(select 'endpoint_failing', p.endpoint_id::text, null, null, p.owner_id, coalesce(p.failing_since, p.disabled_at),
        p.disabled_at, nullif(p.description, '')
 from makegood.endpoint p
 where coalesce(p.failing_since, p.disabled_at) is not null and p.disabled_why is distinct from $1
 order by coalesce(p.failing_since, p.disabled_at) limit $2)
