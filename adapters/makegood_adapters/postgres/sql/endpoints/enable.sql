-- Let an endpoint hear again from the end of the stream on. Called by Endpoints.enable.
update makegood.endpoint e set disabled_at = null, disabled_why = null, failing_since = null, after = s.place
from makegood.stream s where e.endpoint_id = $1 and e.disabled_at is not null
