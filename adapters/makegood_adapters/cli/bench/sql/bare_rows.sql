-- Fill the queue without rules with $1 rows. Called before handovers are measured.
insert into bare select generate_series(1, $1::bigint)
