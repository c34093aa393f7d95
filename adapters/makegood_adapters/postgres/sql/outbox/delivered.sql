-- Note that one listener has heard of an announcement. Called by Outbox.delivered.
update makegood.outbox set delivered = delivered || $2::text
where outbox_id = $1 and not $2 = any(delivered)
