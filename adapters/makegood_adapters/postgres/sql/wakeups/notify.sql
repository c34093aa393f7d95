-- Send each text as a notification of its own, all at once; none sends nothing, and shows that the
-- connection lives. Called by Wakeups.wake.
select pg_notify($1::text, payload) from unnest($2::text[]) as payload
