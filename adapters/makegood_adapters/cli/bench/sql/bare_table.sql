-- Make the table of a queue without any rules. Called before handovers are measured.
create temporary table bare (number bigint primary key, taken boolean not null default false)
