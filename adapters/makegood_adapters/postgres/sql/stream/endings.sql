-- Tell how jobs ended and what the ledger shows for them; who is not over is left out. Called by Stream.endings.
select j.job_id, j.version, j.error::text as error, m.held, m.captured, m.released, m.unused
from makegood.job j
cross join lateral (
  select coalesce(sum(h.amount) filter (where h.captured is null), 0)::bigint as held,
         coalesce(sum(h.captured), 0)::bigint as captured,
         coalesce(sum(h.released) filter (where not b.unlimited), 0)::bigint as released,
         coalesce(sum(h.released) filter (where b.unlimited), 0)::bigint as unused
  from makegood.hold h join makegood.bucket b using (bucket_id) where h.job_id = j.job_id) as m
where j.job_id = any($1::uuid[]) and j.finished_at is not null
