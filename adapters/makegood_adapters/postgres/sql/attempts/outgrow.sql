-- Let an account take one task more than refusals have taught, no faster than it grows, where submissions of which nobody
-- knows whether they made a task hold all its slots: nothing could be accepted there until they are given up, and so
-- nothing be learned. Called by Attempts.dispatch.
update makegood.provider_account p
set learned_at = makegood.now(),
    learned = case when p.learned + 1 < coalesce(p.configured, p.told, 1) then p.learned + 1 end
where p.pool = $1 and p.name = any($2::text[]) and p.learned < coalesce(p.configured, p.told, 1)
  and p.learned_at <= makegood.now() - make_interval(secs => p.grow_seconds)
  and p.problem is null and (p.rests_until is null or p.rests_until <= makegood.now())
  and p.learned = (select count(*) from makegood.attempt a where a.account = p.name and a.closed_at is null)
  and not exists (select from makegood.attempt a
                  where a.account = p.name and a.closed_at is null and a.phase <> 'uncertain')
returning p.name
