-- Begin a pause, or change its reason and end. Called by Rules.pause.
insert into makegood.rule as r (scope, name, actor, reason, paused_at, paused_until)
values ($1, $2, $3, $4, makegood.now(), $5)
on conflict (scope, name) do update
set actor = excluded.actor, reason = excluded.reason, changed_at = makegood.now(),
    paused_at = case when r.paused_until <= makegood.now() then excluded.paused_at
                     else coalesce(r.paused_at, excluded.paused_at) end,
    closed = r.closed and (r.paused_until is null or r.paused_until > makegood.now()),
    paused_until = excluded.paused_until
returning scope, name, running_max, weight, oldest_every, paused_at, paused_until, reason, closed, actor,
          changed_at
