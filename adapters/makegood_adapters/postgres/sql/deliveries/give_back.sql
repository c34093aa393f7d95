-- Let a delivery that was not tried be due again. Called by Deliveries.give_back.
update makegood.delivery set leased = false, due_at = makegood.now(), tries = tries - 1
where endpoint_id = $1 and seq = $2 and epoch = $3 and leased
