-- Change as what the outside sees a machine's states. Called by declare.
update makegood.machine_state s set public_status = p.public_status
from unnest($3::text[], $4::text[]) as p (name, public_status)
where s.type = $1 and s.version = $2 and s.name = p.name
