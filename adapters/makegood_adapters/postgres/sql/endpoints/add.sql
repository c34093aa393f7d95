-- Keep a new endpoint unless there are too many; the same id again is left as it is. Called by Endpoints.add.
insert into makegood.endpoint (endpoint_id, owner_id, url, states, types, description, secret, after)
select $1, $2::text, $3, $4, $5, $6, $7, s.place from makegood.stream s
where (select count(*) from makegood.endpoint) < $8
  and (select count(*) from makegood.endpoint where owner_id = $2::text) < $9
on conflict (endpoint_id) do nothing
