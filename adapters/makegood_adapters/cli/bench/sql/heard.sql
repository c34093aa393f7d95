-- Count the messages that were kept. Called after the intake of webhooks was measured.
select coalesce(sum(copies), 0)::bigint from makegood.inbox
