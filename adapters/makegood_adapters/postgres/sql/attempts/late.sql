-- Take closed attempts about which a webhook tells more than is known, and set when next; mark other webhooks about
-- closed attempts as read. Called by Attempts.late.
with unread as (
  select i.inbox_id, i.job_id, i.attempt,
         i.task_id is not null
         and (i.task_id is distinct from a.task_id
              or a.verdict is null or a.verdict in ('rejected', 'absent')) as matters
  from makegood.inbox i
  join makegood.attempt a on a.job_id = i.job_id and a.number = i.attempt
  where i.read_at is null and i.source = 'webhook' and a.account = any($1::text[]) and a.closed_at is not null
), old as (
  update makegood.inbox i set read_at = makegood.now()
  from unread u where i.inbox_id = u.inbox_id and not u.matters
)
update makegood.attempt a set next_ask_at = makegood.now() + make_interval(secs => $3)
from (
  select o.job_id, o.number from makegood.attempt o
  where exists (select 1 from unread u where u.job_id = o.job_id and u.attempt = o.number and u.matters)
    and (o.next_ask_at is null or o.next_ask_at <= makegood.now())
  order by o.job_id limit $2
  for no key update of o skip locked
) late
where a.job_id = late.job_id and a.number = late.number
returning a.job_id, a.number
