-- Tell how many slots a pool has at accounts that can be used, how many are free, and how long a task holds one.
-- Called by Queue.standing.
select coalesce(sum(p.capacity), 0)::bigint as slots, coalesce(sum(greatest(p.capacity - a.open, 0)), 0)::bigint as free,
       (select e.slot_seconds from makegood.pace e where e.pool = $1) as slot_seconds
from makegood.provider_account p
cross join lateral (
  select count(*) as open from makegood.attempt t where t.account = p.name and t.closed_at is null) as a
where p.pool = $1 and p.problem is null and p.next_survey_at > makegood.now() - interval '1 hour'
