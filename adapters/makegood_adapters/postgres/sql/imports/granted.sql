-- Read what was ever issued for credits and jobs that came from another system. Called by granted_before.
select owner_id, source_ref, issued from makegood.bucket where source_ref like 'import:%' and origin_id is null
