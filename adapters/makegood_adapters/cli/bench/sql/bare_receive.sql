-- Keep one message without any rules. Called for each request to the bare intake.
insert into bare_inbox (token, body) values ($1, $2)
