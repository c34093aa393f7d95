-- Insert jobs that are over, and return those that were not here before. Called by import_jobs.
select job_id from makegood.import_jobs($1::text::jsonb) as made (job_id)
