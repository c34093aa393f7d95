-- Note that an owner may use a file, in place of the upload that has begun. Called by Uploads.keep.
select owner_id, key, kind, size, brought_at from makegood.keep_upload($1, $2, $3, $4, $5)
