-- Read a wallet's debt and its buckets in spending order. Called by Ledger.wallet.
select bucket_id, owner_id, kind, priority, expires_at, source_ref, plan, unlimited, charged_back_at, issued,
       remaining, held, captured, expired, (expires_at is null or expires_at > makegood.now()) as spendable,
       w.debt
from makegood.bucket join makegood.wallet w using (owner_id)
where owner_id = $1
order by priority, expires_at nulls last, bucket_id
