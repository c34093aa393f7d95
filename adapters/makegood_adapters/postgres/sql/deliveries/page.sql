-- Read deliveries to an endpoint, the last one first, all or those that failed. Called by Deliveries.page.
select d.endpoint_id, d.seq, d.tries, d.due_at, d.delivered_at, d.failed_at, h.job_id, h.version, h.operation_id,
       h.owner_id, h.type, h.event, h.from_state, h.to_state, h.actor, h.reason, h.attempt, h.at
from makegood.delivery d
join makegood.history h on h.job_id = d.job_id and h.version = d.version
where d.endpoint_id = $1 and d.seq < $2 and (not $4 or d.due_at is null and d.delivered_at is null)
order by d.seq desc limit $3
