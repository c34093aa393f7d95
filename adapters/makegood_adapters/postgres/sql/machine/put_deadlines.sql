-- Change the deadlines of a machine's states. Called by declare.
update makegood.machine_state s set deadline_seconds = d.seconds
from unnest($3::text[], $4::double precision[]) as d (name, seconds)
where s.type = $1 and s.version = $2 and s.name = d.name
