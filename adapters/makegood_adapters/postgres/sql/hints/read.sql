-- Mark hints as dealt with. Called by Hints.read.
update makegood.inbox set read_at = makegood.now()
where inbox_id = any($1::bigint[]) and read_at is null
