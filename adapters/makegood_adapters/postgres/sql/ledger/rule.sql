-- Read how long grace credits live. Called by declare.
select grace_seconds from makegood.ledger_rule
