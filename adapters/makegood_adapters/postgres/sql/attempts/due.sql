-- Take attempts that may be asked about now, and set when next. Called by Attempts.due.
update makegood.attempt a
set next_ask_at = makegood.now() + make_interval(secs => $3), asked = a.asked + 1
from (
  select o.job_id, o.number from makegood.attempt o
  where o.account = any($1::text[]) and o.closed_at is null and o.phase in ('accepted', 'uncertain')
    and o.next_ask_at <= makegood.now()
  order by o.next_ask_at limit $2
  for no key update of o skip locked
) due
where a.job_id = due.job_id and a.number = due.number
returning a.job_id, a.number
