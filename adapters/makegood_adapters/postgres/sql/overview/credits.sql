-- Add up all credits, for measures. Called by credits_of_all.
select coalesce(sum(issued), 0)::bigint as issued, coalesce(sum(remaining), 0)::bigint as remaining,
       coalesce(sum(held), 0)::bigint as held, coalesce(sum(captured), 0)::bigint as captured,
       coalesce(sum(expired), 0)::bigint as expired
from makegood.bucket
