-- Keep what an operator did, or was refused. Called by Acts.keep.
insert into makegood.act (key, signed_by, act, subject, reason, outcome) values ($1, $2, $3, $4, $5, $6)
