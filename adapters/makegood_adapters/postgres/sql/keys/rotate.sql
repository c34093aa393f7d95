-- Give a key another secret and let the one before be taken for a while; no row if the key is over. Called by Keys.rotate.
update makegood.service_key
set previous_hash = case when key_hash = $2 then previous_hash else key_hash end,
    previous_until = case when key_hash = $2 then previous_until
                          else makegood.now() + make_interval(secs => $3) end,
    key_hash = $2
where key_id = $1 and revoked_at is null and (expires_at is null or expires_at > makegood.now())
returning key_id, name, scopes, created_at, created_by, expires_at, previous_until, revoked_at, revoked_by, last_used_at
