-- Read a key that was made by the same call before. Called by Keys.add.
select key_id, name, scopes, created_at, created_by, expires_at, previous_until, revoked_at, revoked_by, last_used_at
from makegood.service_key
where key_id = $1 and key_hash = $2
