-- Sum what the ledger shows for a job. Called by Jobs.money.
select coalesce(sum(h.amount) filter (where h.captured is null), 0)::bigint as held,
       coalesce(sum(h.captured), 0)::bigint as captured,
       coalesce(sum(h.released) filter (where not b.unlimited), 0)::bigint as released,
       coalesce(sum(h.released) filter (where b.unlimited), 0)::bigint as unused
from makegood.hold h join makegood.bucket b using (bucket_id)
where h.job_id = $1
  and ($2::text is null or exists (select from makegood.job j where j.job_id = $1 and j.owner_id = $2))
