-- Tell whether this database user may change as what the outside sees states. Called by declare.
select has_column_privilege('makegood.machine_state', 'public_status', 'update')
