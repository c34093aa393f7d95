-- Count the last $1 tasks that are known to have ended, and the $2 before them, and of how many a webhook told before
-- anybody asked, among the last $3 facts. Called by Oversight.heard.
with ended as (
  select k.at, k.n, exists (
    select 1 from makegood.inbox i
    where i.job_id = k.job_id and i.attempt = k.attempt and i.source = 'webhook' and i.received_at <= k.at) as told
  from (
    select l.job_id, l.attempt, l.at, row_number() over (order by l.evidence_id desc) as n
    from (select e.evidence_id, e.job_id, e.attempt, e.at, e.verdict from makegood.evidence e
          order by e.evidence_id desc limit $3) l
    where l.verdict in ('succeeded', 'failed')) k
  where k.n <= $1::bigint + $2::bigint
)
select min(at) filter (where n <= $1) as since, count(*) filter (where n <= $1) as last,
       count(*) filter (where n <= $1 and told) as last_by_webhook, count(*) filter (where n > $1) as before,
       count(*) filter (where n > $1 and told) as before_by_webhook
from ended
