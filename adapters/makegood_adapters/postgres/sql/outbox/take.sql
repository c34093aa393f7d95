-- Lease the earliest undelivered announcement of each job of these types, for longer each time. Called by
-- Outbox.take.
update makegood.outbox o
set leased_until = makegood.now() + make_interval(secs => $2 * 2 ^ least(o.tries, 6)), tries = o.tries + 1
from (
  select x.outbox_id from makegood.outbox x
  where x.done_at is null and (x.leased_until is null or x.leased_until <= makegood.now())
    and not exists (select 1 from makegood.outbox e
                    where e.job_id = x.job_id and e.version < x.version and e.done_at is null)
    and exists (select 1 from makegood.history t
                where t.job_id = x.job_id and t.version = x.version and t.type = any($3::text[]))
  order by x.outbox_id limit $1
  for no key update skip locked
) free, makegood.history h
where o.outbox_id = free.outbox_id and h.job_id = o.job_id and h.version = o.version
returning o.outbox_id, o.delivered, o.tries, h.job_id, h.version, h.operation_id, h.owner_id, h.type,
          h.event, h.from_state, h.to_state, h.actor, h.reason, h.attempt, h.at
