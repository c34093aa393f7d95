-- Take jobs past the deadline of their state, and jobs that wait although they shall be cancelled, and set when
-- they come again. Called by Jobs.overdue.
update makegood.job m
set watched_until = makegood.now() + make_interval(secs => $3)
from (
  select j.job_id
  from makegood.job j
  left join makegood.attempt a on j.slot and a.job_id = j.job_id and a.number = j.attempt
  where (j.deadline_at <= makegood.now() or (j.waiting and j.cancel_requested_at is not null))
    and (j.watched_until is null or j.watched_until <= makegood.now())
    and (a.verdict is distinct from 'succeeded' or a.closed_at <= makegood.now() - make_interval(secs => $4))
    and (a.intent_at is null or a.account = any($1::text[])
         or j.deadline_at <= makegood.now() - make_interval(secs => $5))
  order by j.deadline_at limit $2
  for no key update of j skip locked
) late
where m.job_id = late.job_id
returning m.job_id, m.deadline_at
