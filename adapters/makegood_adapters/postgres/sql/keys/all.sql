-- Read every key, oldest first. Called by Keys.all.
select key_id, name, scopes, created_at, created_by, expires_at, previous_until, revoked_at, revoked_by, last_used_at
from makegood.service_key
order by created_at, key_id
