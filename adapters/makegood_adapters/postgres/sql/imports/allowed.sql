-- Tell whether this user may bring in jobs that are over. Called by may_import.
select has_function_privilege('makegood.import_jobs(jsonb)', 'execute') as allowed
