-- Open a bucket that covers every price, once. Called by Ledger.grant_unlimited.
select makegood.grant_unlimited($1, $2, $3, $4, $5, $6) as granted
