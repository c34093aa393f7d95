-- Store a machine's states. Called by declare.
insert into makegood.machine_state (type, version, name, is_initial, is_terminal, is_slot,
                                    is_waiting, holding, deadline_seconds, deadline_event,
                                    place, public_status)
select $1, $2, name, is_initial, is_terminal, is_slot, is_waiting, holding, deadline_seconds,
       deadline_event, place, public_status
from unnest($3::text[], $4::boolean[], $5::boolean[], $6::boolean[], $7::boolean[], $8::text[],
            $9::double precision[], $10::text[], $11::text[]) with ordinality
  as s (name, is_initial, is_terminal, is_slot, is_waiting, holding, deadline_seconds, deadline_event, public_status,
        place)
