-- Read what the stream has of one owner after a place. Called by Stream.read.
select p.place, h.job_id, h.version, h.operation_id, h.owner_id, h.type, h.event, h.from_state, h.to_state,
       h.actor, h.reason, h.attempt, h.at
from (select place, job_id, version from makegood.placed
      where owner_id = $3 and place > $1 order by place limit $2) p
join makegood.history h on h.job_id = p.job_id and h.version = p.version
order by p.place
