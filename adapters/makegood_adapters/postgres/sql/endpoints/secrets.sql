-- Read what signs messages to an endpoint. Called by Endpoints.secrets.
select secret, case when old_until > makegood.now() then old_secret end as old_secret
from makegood.endpoint where endpoint_id = $1
