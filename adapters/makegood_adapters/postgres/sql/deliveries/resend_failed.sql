-- Make due again what has failed since a time, some at a time. Called by Deliveries.resend_failed.
update makegood.delivery d
set due_at = makegood.now(), leased = false, tries = 0, epoch = epoch + 1, failed_at = null
from (select x.seq from makegood.delivery x
      where x.endpoint_id = $1 and x.due_at is null and x.delivered_at is null and x.failed_at >= $2
      order by x.seq limit $3 for no key update skip locked) f
where d.endpoint_id = $1 and d.seq = f.seq
returning d.seq
