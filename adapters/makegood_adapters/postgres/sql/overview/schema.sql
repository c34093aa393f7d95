-- Return the newest migration that was applied: whether database and release fit. Called by schema_problem.
select max(version) as reached from makegood.migration
