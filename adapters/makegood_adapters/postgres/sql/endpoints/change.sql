-- Give an endpoint another address and other wishes; what failed at another address does not count. Called by
-- Endpoints.change.
update makegood.endpoint
set url = $2, states = $3, types = $4, description = $5,
    failing_since = case when url = $2 then failing_since end
where endpoint_id = $1
