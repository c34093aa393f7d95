-- Read the states of a stored machine. Called by Store.spec.
select name, is_initial, is_terminal, is_slot, deadline_seconds, public_status
from makegood.machine_state where type = $1 and version = $2 order by place
