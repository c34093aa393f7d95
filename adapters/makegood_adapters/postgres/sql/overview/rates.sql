-- Count what happened in the last so many seconds, of at most so many last transitions; the outbox has one row for
-- each, in their order. Called by overview.
select h.event, h.to_state, count(*) as moves, min(h.at) as first
from (select job_id, version from makegood.outbox order by outbox_id desc limit $2) last
join makegood.history h on h.job_id = last.job_id and h.version = last.version
where h.at > makegood.now() - make_interval(secs => $1)
group by h.event, h.to_state
