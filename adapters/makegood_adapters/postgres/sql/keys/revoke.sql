-- End a key; the first time stands. Called by Keys.revoke.
update makegood.service_key
set revoked_at = coalesce(revoked_at, makegood.now()), revoked_by = coalesce(revoked_by, $2)
where key_id = $1
returning key_id, name, scopes, created_at, created_by, expires_at, previous_until, revoked_at, revoked_by, last_used_at
