-- Read the rules that say something; a pause that is over says nothing. Called by Rules.all and
-- Oversight.overview.
select r.scope, r.name, r.running_max, r.weight, r.oldest_every, p.paused_at, p.paused_until, p.reason,
       coalesce(p.closed, false) as closed, r.actor, r.changed_at
from makegood.rule r
left join makegood.rule p on p.scope = r.scope and p.name = r.name and p.paused_at is not null
  and (p.paused_until is null or p.paused_until > makegood.now())
where r.running_max is not null or r.weight is not null or r.oldest_every is not null or p.paused_at is not null
order by r.scope, r.name
