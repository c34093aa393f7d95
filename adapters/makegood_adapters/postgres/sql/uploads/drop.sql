-- Forget an upload of which nothing is kept. Called by Uploads.drop.
select makegood.drop_upload($1)
