-- Issue a bucket of credits, once. Called by Ledger.grant.
select makegood.grant_credits($1, $2, $3, $4, $5, $6, $7) as granted
