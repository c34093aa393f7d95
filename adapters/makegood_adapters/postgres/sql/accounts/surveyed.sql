-- Keep what a provider told of an account. Called by Accounts.surveyed.
update makegood.provider_account p
set told = coalesce($2, p.told), in_use = $3, told_at = makegood.now(),
    differs_since = case when not o.as_marked then p.differs_since
                         when $3 <> o.open then coalesce(p.differs_since, makegood.now()) end,
    others = case when o.as_marked and $3 is not null then greatest($3 - o.open, 0) else p.others end,
    others_until = case when o.as_marked and $3 is not null then makegood.now() + make_interval(secs => $5)
                        else p.others_until end,
    fewer_since = case when not o.as_marked then p.fewer_since
                       when $3 < o.open then coalesce(p.fewer_since, makegood.now()) end,
    fewer_asked = p.fewer_asked and (not o.as_marked or coalesce($3 < o.open, false)),
    failures = 0, last_error = null,
    -- unfit, and now it answers again: one task tries, beside those that are there
    problem = case when p.failures = 0 then p.problem end,
    problem_since = case when p.failures = 0 then p.problem_since end,
    unfits = case when p.failures = 0 then p.unfits else 0 end,
    rests_until = case when p.failures = 0 or p.problem is null then p.rests_until end,
    learned = case when p.failures = 0 or p.problem is null then p.learned else o.open + 1 end,
    learned_at = case when p.failures = 0 or p.problem is null then p.learned_at else makegood.now() end
from (
  select (count(*) filter (where phase in ('accepted', 'uncertain')))::integer as open,
         coalesce(not coalesce(bool_or(phase = 'submitting'), false) and $4::text = coalesce(
           md5(string_agg(job_id || '/' || number, ' ' order by job_id)
               filter (where phase in ('accepted', 'uncertain'))), 'none'), false) as as_marked
  from makegood.attempt where account = $1 and closed_at is null
) o
where p.name = $1
