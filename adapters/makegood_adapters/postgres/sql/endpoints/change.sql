-- Give an endpoint another address and other wishes. Called by Endpoints.change.
update makegood.endpoint set url = $2, states = $3, types = $4, description = $5 where endpoint_id = $1
