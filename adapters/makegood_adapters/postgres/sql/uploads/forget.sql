-- Forget what was brought long ago and what has begun a day ago. Called by Uploads.forget.
select makegood.forget_uploads($1, $2, $3) as forgotten
