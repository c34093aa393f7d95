-- Read the edges of a stored machine. Called by Store.spec.
select event, from_state, to_state, money
from makegood.machine_edge where type = $1 and version = $2 order by place
