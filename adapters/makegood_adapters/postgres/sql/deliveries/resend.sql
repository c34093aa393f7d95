-- Make deliveries due again, whatever became of them. Called by Deliveries.resend.
update makegood.delivery
set due_at = makegood.now(), leased = false, tries = 0, epoch = epoch + 1, delivered_at = null, failed_at = null
where endpoint_id = $1 and seq = any($2::bigint[])
returning seq
