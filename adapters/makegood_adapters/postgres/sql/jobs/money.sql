-- Sum what the ledger shows for a job. Called by Jobs.money.
select coalesce(sum(amount) filter (where captured is null), 0)::bigint as held,
       coalesce(sum(captured), 0)::bigint as captured,
       coalesce(sum(released), 0)::bigint as released
from makegood.hold
where job_id = $1
  and ($2::text is null or exists (select from makegood.job j where j.job_id = $1 and j.owner_id = $2))
