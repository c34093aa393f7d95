-- Write a process's row anew. Called by Workers.beat.
insert into makegood.worker (worker_id, host, pid, number, version, state, accounts, health)
values ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb)
on conflict (worker_id) do update
set seen_at = makegood.now(), state = excluded.state, accounts = excluded.accounts, health = excluded.health
