-- Store one edge of a machine. Called by declare.
insert into makegood.machine_edge (type, version, event, from_state, to_state, place, money,
                                   opens_attempt, verdicts, evidence_always)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
