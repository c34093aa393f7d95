-- Keep how long grace credits live; without a number what was kept first stays. Called by declare.
insert into makegood.ledger_rule as kept (grace_seconds) values (coalesce($1, $2::double precision))
on conflict (only_row) do update set grace_seconds = $1
where $1::double precision is not null and kept.grace_seconds <> $1
