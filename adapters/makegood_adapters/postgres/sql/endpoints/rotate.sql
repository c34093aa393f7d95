-- Sign with another secret, and with the one before for a while; twice is as once. Called by Endpoints.rotate.
update makegood.endpoint
set secret = $2, old_secret = case when secret = $2 then old_secret else secret end,
    old_until = case when secret = $2 then old_until else makegood.now() + make_interval(secs => $3) end
where endpoint_id = $1
returning endpoint_id
