-- Set bytes aside for a file that is about to come, or say when there is room again. Called by Uploads.begin.
select makegood.begin_upload($1, $2, $3, $4, $5) as again_seconds
