-- Set those values of a rule that are to be set. Called by Rules.limit.
insert into makegood.rule as r (scope, name, actor, running_max, weight, oldest_every)
values ($1, $2, $3, $5, $7, $9)
on conflict (scope, name) do update
set actor = excluded.actor, changed_at = makegood.now(),
    running_max = case when $4::boolean then excluded.running_max else r.running_max end,
    weight = case when $6::boolean then excluded.weight else r.weight end,
    oldest_every = case when $8::boolean then excluded.oldest_every else r.oldest_every end
returning scope, name, running_max, weight, oldest_every, paused_at, paused_until, reason, closed, actor,
          changed_at
