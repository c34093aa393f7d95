-- End the lease of an announcement that was not told, as if it had not been tried. Called by Outbox.give_back.
update makegood.outbox set leased_until = null, tries = tries - 1
where outbox_id = $1 and tries = $2 and done_at is null and leased_until is not null
