-- Read the rows of all processes. Called by Workers.present.
select worker_id, host, pid, number, version, state, accounts, started_at, seen_at, health::text as health
from makegood.worker order by started_at, worker_id
