-- Read which job is in the only slot. Called between two handovers.
select job_id from makegood.attempt where closed_at is null
