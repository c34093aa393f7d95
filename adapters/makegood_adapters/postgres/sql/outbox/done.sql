-- Mark announcements as delivered. Called by Outbox.done.
update makegood.outbox set done_at = makegood.now()
where outbox_id = any($1::bigint[]) and done_at is null
