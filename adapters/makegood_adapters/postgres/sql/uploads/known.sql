-- Read which of these files an owner may use. Called by Uploads.known.
select owner_id, key, kind, size, brought_at from makegood.upload where owner_id = $1 and key = any($2::text[])
