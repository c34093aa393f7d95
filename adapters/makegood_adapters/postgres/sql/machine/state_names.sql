-- Name the states of every job type that was ever declared, of all its versions. Called by declared_states.
select type, name from makegood.machine_state group by type, name order by min(place), name, type
