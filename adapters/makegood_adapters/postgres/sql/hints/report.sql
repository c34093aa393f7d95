-- Keep what a client reports about a job, once, and of many only the first $5 for each attempt; make its
-- attempt due. Called by keep_report.
with kept as (
  insert into makegood.inbox (job_id, attempt, source, digest, body)
  select j.job_id, j.attempt, $2, $3, $4 from makegood.job j
  where j.job_id = $1
    and (select count(*) from makegood.inbox i
         where i.job_id = j.job_id and i.attempt = j.attempt and i.source = $2) < $5
  on conflict (job_id, attempt, source, digest) do nothing
  returning job_id
)
update makegood.attempt a set next_ask_at = makegood.hinted_at()
from kept where a.job_id = kept.job_id and a.closed_at is null
