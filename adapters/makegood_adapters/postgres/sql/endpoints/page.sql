-- Read endpoints by their ids, of one owner if that is given. Called by Endpoints.page.
select endpoint_id, owner_id, url, states, types, description, created_at, disabled_at, disabled_why, failing_since
from makegood.endpoint
where ($1::uuid is null or endpoint_id > $1) and ($2::text is null or owner_id = $2)
order by endpoint_id limit $3
