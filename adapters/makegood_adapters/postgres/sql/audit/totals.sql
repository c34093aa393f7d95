-- Add up the credits of all owners, then of one or of the first, those that do not add up before others. Called by
-- Store.audit.
with sums as (
  select owner_id, sum(issued)::bigint as issued, sum(remaining)::bigint as remaining,
         sum(held)::bigint as held, sum(captured)::bigint as captured, sum(expired)::bigint as expired
  from makegood.bucket group by owner_id
), listed as (
  select * from sums where $1::text is null or owner_id = $1
  order by issued = remaining + held + captured + expired, owner_id limit $2
)
select null as owner_id, coalesce(sum(issued), 0)::bigint as issued,
       coalesce(sum(remaining), 0)::bigint as remaining, coalesce(sum(held), 0)::bigint as held,
       coalesce(sum(captured), 0)::bigint as captured, coalesce(sum(expired), 0)::bigint as expired,
       count(*) as owners
from sums
union all
(select *, null from listed order by issued = remaining + held + captured + expired, owner_id)
