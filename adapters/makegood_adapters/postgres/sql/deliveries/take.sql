-- Lease what is due. Called by Deliveries.take.
select t.to_endpoint as endpoint_id, t.to_url as url, t.signs as secret, t.signs_too as old_secret, t.try as tries,
       t.try_epoch as epoch, makegood.now() as taken_at, t.place as seq,
       h.job_id, h.version, h.operation_id, h.owner_id, h.type, h.event, h.from_state, h.to_state, h.actor,
       h.reason, h.attempt, h.at
from makegood.take_deliveries($1, $2, $3) t
join makegood.history h on h.job_id = t.of_job and h.version = t.of_version
order by t.place
