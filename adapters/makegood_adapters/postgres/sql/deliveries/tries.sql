-- Read the log of a delivery. Called by Deliveries.tries.
select at, status, problem, body, seconds from makegood.delivery_try
where endpoint_id = $1 and seq = $2 order by try_id
