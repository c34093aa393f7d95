-- The audit: every row of this view is a broken promise. It is always empty.

create view makegood.violation as
select 'a bucket is not what its journal says' as invariant, b.bucket_id::text as subject
from makegood.bucket b
left join lateral (
  select coalesce(sum(amount) filter (where kind = 'issue'), 0) as issued,
         coalesce(sum(amount) filter (where kind = 'hold'), 0) as held,
         coalesce(sum(amount) filter (where kind = 'capture'), 0) as captured,
         coalesce(sum(amount) filter (where kind = 'release'), 0) as released,
         coalesce(sum(amount) filter (where kind in ('expire', 'withdraw', 'repay')), 0) as expired
  from makegood.journal j where j.bucket_id = b.bucket_id) x on true
where (b.issued, b.held, b.captured, b.expired, b.remaining)
   <> (x.issued, x.held - x.captured - x.released, x.captured, x.expired,
       x.issued - x.held + x.released - x.expired)
union all
select 'a wallet is not what its journal says', w.owner_id
from makegood.wallet w
left join lateral (
  select sum(case when kind in ('issue', 'release') then amount
                  when kind in ('capture', 'debt') then 0 else -amount end) as balance,
         sum(case kind when 'debt' then amount when 'repay' then -amount else 0 end) as debt
  from makegood.journal j where j.owner_id = w.owner_id) x on true
where (w.balance, w.debt) <> (coalesce(x.balance, 0), coalesce(x.debt, 0))
union all
select 'a journal line has another balance than its replay', l.owner_id || ' line ' || l.seq
from (select owner_id, seq, balance,
             sum(case when kind in ('issue', 'release') then amount
                      when kind in ('capture', 'debt') then 0 else -amount end)
               over (partition by owner_id order by seq) as replayed
      from makegood.journal) l
where l.balance <> l.replayed
union all
select 'a hold is not what its journal says', h.job_id || ' / ' || h.bucket_id
from makegood.hold h
left join lateral (
  select coalesce(sum(amount) filter (where kind = 'hold'), 0) as amount,
         coalesce(sum(amount) filter (where kind = 'capture'), 0) as captured,
         coalesce(sum(amount) filter (where kind = 'release'), 0) as released
  from makegood.journal j where j.job_id = h.job_id and j.bucket_id = h.bucket_id) x on true
where (h.amount, coalesce(h.captured, 0), coalesce(h.released, 0))
   <> (x.amount, x.captured, x.released)
union all
select 'a journal line has no hold', j.job_id || ' / ' || j.bucket_id
from makegood.journal j
where j.kind in ('hold', 'capture', 'release') and not exists (
  select 1 from makegood.hold h where h.job_id = j.job_id and h.bucket_id = j.bucket_id)
union all
select 'the journal of a wallet has a gap', w.owner_id
from makegood.wallet w
left join lateral (
  select count(*) as lines, coalesce(max(seq), 0) as last
  from makegood.journal j where j.owner_id = w.owner_id) x on true
where (w.seq, w.seq) <> (x.lines, x.last)
union all
select 'the credits of a job do not fit its state', j.job_id || ' ' || j.state
from makegood.job j
join makegood.machine_state s
  on (s.type, s.version, s.name) = (j.type, j.type_version, j.state)
left join lateral (
  select coalesce(sum(amount), 0) as amount, coalesce(sum(captured), 0) as captured,
         count(*) filter (where captured is null) as open
  from makegood.hold h where h.job_id = j.job_id) x on true
where (s.holding = 'none' and x.amount <> 0)
   or (s.holding = 'held' and (x.amount <> j.price or (x.open = 0 and j.price > 0)))
   or (s.holding in ('settled', 'over') and x.amount > 0
       and (x.open <> 0 or x.captured is distinct from j.settled or x.amount <> j.price))
   or (s.holding = 'over' and x.amount = 0 and coalesce(j.settled, 0) <> 0)
union all
select 'a failed job kept credits', j.job_id::text
from makegood.job j join makegood.hold h using (job_id)
where j.state = 'failed' and h.released is distinct from h.amount
union all
select 'the history of a job has a gap or another end', j.job_id::text
from makegood.job j
left join lateral (
  select count(*) as lines, max(version) as last,
         (array_agg(to_state order by version desc))[1] as state
  from makegood.history h where h.job_id = j.job_id) x on true
where (j.version + 1, j.version, j.state) is distinct from (x.lines, x.last, x.state)
union all
select 'a step of a history does not follow from the one before', h.job_id || ' ' || h.version
from (select job_id, version, from_state,
             lag(to_state) over (partition by job_id order by version) as before
      from makegood.history) h
where h.from_state is distinct from h.before
union all
select 'a step of a history is no edge of its machine', h.job_id || ' ' || h.version
from makegood.history h join makegood.job j using (job_id)
where h.version > 0 and not exists (
  select 1 from makegood.machine_edge e
  where (e.type, e.version, e.event, e.from_state, e.to_state)
      = (j.type, j.type_version, h.event, h.from_state, h.to_state))
union all
select 'a transition was not announced', h.job_id || ' ' || h.version
from makegood.history h
where not exists (
  select 1 from makegood.outbox o where (o.job_id, o.version) = (h.job_id, h.version))
union all
select 'a job in a slot state has no attempt, or another one than its own is open', j.job_id::text
from makegood.job j
where j.slot and not exists (
    select 1 from makegood.attempt a where a.job_id = j.job_id and a.number = j.attempt)
   or exists (select 1 from makegood.attempt a
              where a.job_id = j.job_id and a.number <> j.attempt and a.closed_at is null)
   or (not j.slot and j.finished_at is null and exists (
         select 1 from makegood.attempt a where a.job_id = j.job_id and a.closed_at is null))
union all
select 'an account has more open attempts than slots', p.name
from makegood.provider_account p
join makegood.attempt a on a.account = p.name and a.closed_at is null
group by p.name
having count(*) > p.capacity and max(a.opened_at) > max(p.capacity_since)
union all
select 'an attempt of a job that is over drains without a last moment', a.job_id || ' ' || a.number
from makegood.attempt a join makegood.job j using (job_id)
where a.closed_at is null and j.finished_at is not null and a.draining_until is null
union all
select 'an attempt was submitted without an intent of its job', a.job_id || ' ' || a.number
from makegood.attempt a join makegood.job j using (job_id)
where a.intent_at is not null and a.number = j.attempt
  and j.intent_attempt is distinct from j.attempt
union all
select 'a job that is not over has no deadline', j.job_id::text
from makegood.job j where (j.finished_at is null) <> (j.deadline_at is not null)
union all
select 'a journal line has no wallet or bucket of its owner', j.owner_id || ' ' || j.seq
from makegood.journal j
where not exists (select 1 from makegood.wallet w join makegood.bucket b using (owner_id)
                  where w.owner_id = j.owner_id and b.bucket_id = j.bucket_id)
union all
select 'a hold has no job of its owner', h.job_id || ' / ' || h.bucket_id
from makegood.hold h join makegood.bucket b using (bucket_id)
where not exists (select 1 from makegood.job j where j.job_id = h.job_id and j.owner_id = b.owner_id)
union all
select 'all credits: issued is not remaining + held + captured + expired', 'all wallets'
from (select coalesce(sum(issued), 0) as a,
             coalesce(sum(remaining + held + captured + expired), 0) as b from makegood.bucket) t
where a <> b;
