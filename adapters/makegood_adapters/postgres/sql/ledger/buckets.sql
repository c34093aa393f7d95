-- Read a wallet's buckets in spending order. Called by Ledger.wallet.
select bucket_id, owner_id, kind, priority, expires_at, source_ref, issued, remaining, held, captured,
       expired, (expires_at is null or expires_at > makegood.now()) as spendable
from makegood.bucket where owner_id = $1
order by priority, expires_at nulls last, bucket_id
