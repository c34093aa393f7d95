-- Read the edge that a stored machine has for the deadline of a state. Called by Jobs.end.
select e.event, e.to_state
from makegood.machine_state s
join makegood.machine_edge e on e.type = s.type and e.version = s.version and e.from_state = s.name
                            and e.event = s.deadline_event
where s.type = $1 and s.version = $2 and s.name = $3
