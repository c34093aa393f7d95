-- Find the key that a secret opens now, with the end of that secret, and note once a minute that it is used. Called by Keys.find.
with found as materialized (
  select k.*
  from makegood.service_key k
  where (k.key_hash = $1 or (k.previous_hash = $1 and k.previous_until > makegood.now()))
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > makegood.now())
), used as (
  update makegood.service_key k set last_used_at = makegood.now()
  from found f
  where k.key_id = f.key_id and (f.last_used_at is null or f.last_used_at <= makegood.now() - interval '1 minute')
  returning k.key_id, k.last_used_at
)
select f.key_id, f.name, f.scopes, f.created_at, f.created_by,
       case when f.key_hash = $1 then f.expires_at else least(f.expires_at, f.previous_until) end as expires_at,
       f.previous_until, f.revoked_at, f.revoked_by, coalesce(u.last_used_at, f.last_used_at) as last_used_at
from found f left join used u using (key_id)
