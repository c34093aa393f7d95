-- Take what remains out of expired buckets. Called by Ledger.expire.
select makegood.expire_credits($1) as buckets
