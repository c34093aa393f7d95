-- Read one endpoint. Called by Endpoints.get.
select endpoint_id, owner_id, url, states, types, description, created_at, disabled_at, disabled_why, failing_since
from makegood.endpoint where endpoint_id = $1
