-- The audit: every row of the view `violation` is a broken promise. It is always empty.
--
-- Triggers and constraints keep all of this; what gets past them is a superuser who switches them off, or a
-- mistake of ours. So the view believes no column that it can compute from other rows. It is written for
-- tables of any size: each table is read whole and joined by hash, never looked up row by row.

create view makegood.invariant (place, code, sentence) as values
  (1, 'bucket_sums', 'a bucket is not what its journal says'),
  (2, 'hold_sums', 'a hold is not what its journal says'),
  (3, 'journal_hold', 'a journal line has no hold'),
  (4, 'wallet_sequence', 'the journal of a wallet has a gap'),
  (5, 'wallet_sums', 'a wallet is not what its journal says'),
  (6, 'journal_balance', 'a journal line has another balance than its replay'),
  (7, 'owner_totals', 'issued is not remaining + held + captured + expired'),
  (8, 'owner_crossed', 'credits of one owner were moved for another'),
  (9, 'job_credits', 'the credits of a job do not fit its state'),
  (10, 'failed_refund', 'a failed job kept credits'),
  (11, 'history_end', 'the history of a job has a gap or another end'),
  (12, 'history_chain', 'a step of a history does not follow from the one before'),
  (13, 'history_edge', 'a step of a history is no edge of its machine'),
  (14, 'history_evidence', 'a step lacks the evidence that its edge demands'),
  (15, 'outbox_rows', 'a transition and its announcement are not a pair'),
  (16, 'stream_places', 'a transition has no place in the stream that fits'),
  (17, 'attempt_numbers', 'the attempts of a job have a gap or another end'),
  (18, 'attempt_phase', 'an attempt is closed without an end, or open with one'),
  (19, 'attempt_open', 'an attempt is open that its job does not need'),
  (20, 'attempt_intent', 'job and attempt disagree on whether it was submitted'),
  (21, 'attempt_draining', 'an attempt drains without a last moment'),
  (22, 'account_slots', 'an account has more open attempts than slots'),
  (23, 'task_once', 'a task of a provider belongs to two attempts'),
  (24, 'job_times', 'a live job has no deadline, or one that is over no end'),
  (25, 'job_overdue', 'a job is more than two days past its deadline'),
  (26, 'job_key', 'a key of an owner belongs to two jobs');

create view makegood.violation as
with moved as (  -- what the journal says about each hold
  select job_id, bucket_id, min(owner_id) as owner_id,
         coalesce(sum(amount) filter (where kind = 'hold'), 0) as amount,
         coalesce(sum(amount) filter (where kind = 'capture'), 0) as captured,
         coalesce(sum(amount) filter (where kind = 'release'), 0) as released
  from makegood.journal where kind in ('hold', 'capture', 'release')
  group by job_id, bucket_id
), line as not materialized (  -- what each line does to what its owner has left
  select owner_id, seq, job_id, kind, amount, balance,
         case when kind in ('issue', 'release') then amount
              when kind in ('capture', 'debt') then 0 else -amount end as change
  from makegood.journal
), drawn as (  -- what the holds say about each job
  select job_id, sum(amount) as amount, coalesce(sum(captured), 0) as captured,
         count(*) filter (where captured is null) as open
  from makegood.hold group by job_id
), broken (code, subject, owner_id, job_id) as (
select 'bucket_sums', bucket_id::text, coalesce(b.owner_id, x.owner_id), null::uuid
from makegood.bucket b
full join (
  select bucket_id, min(owner_id) as owner_id,
         coalesce(sum(amount) filter (where kind = 'issue'), 0) as issued,
         coalesce(sum(amount) filter (where kind = 'hold'), 0) as held,
         coalesce(sum(amount) filter (where kind = 'capture'), 0) as captured,
         coalesce(sum(amount) filter (where kind = 'release'), 0) as released,
         coalesce(sum(amount) filter (where kind in ('expire', 'withdraw', 'repay')), 0) as expired
  from makegood.journal group by bucket_id) x using (bucket_id)
where (b.issued, b.held, b.captured, b.expired, b.remaining) is distinct from
      (coalesce(x.issued, 0), coalesce(x.held - x.captured - x.released, 0),  -- unlimited and never used: no line
       coalesce(x.captured, 0), coalesce(x.expired, 0),
       coalesce(x.issued - x.held + x.released - x.expired, 0))
union all
select 'hold_sums', h.job_id || ' / ' || h.bucket_id, j.owner_id, h.job_id
from makegood.hold h
left join moved x on x.job_id = h.job_id and x.bucket_id = h.bucket_id
left join makegood.job j on j.job_id = h.job_id
where (h.amount, coalesce(h.captured, 0), coalesce(h.released, 0))
      is distinct from (x.amount, x.captured, x.released)
union all
select 'journal_hold', x.job_id || ' / ' || x.bucket_id, x.owner_id, x.job_id
from moved x
where not exists (
  select 1 from makegood.hold h where h.job_id = x.job_id and h.bucket_id = x.bucket_id)
union all
select 'wallet_sequence', owner_id, owner_id, null
from makegood.wallet w
full join (
  select owner_id, count(*) as lines, max(seq) as last
  from makegood.journal group by owner_id) x using (owner_id)
where (w.seq, w.seq) is distinct from (coalesce(x.lines, 0), coalesce(x.last, 0))
union all
select 'wallet_sums', w.owner_id, w.owner_id, null
from makegood.wallet w
left join (
  select owner_id, sum(change) as balance,
         sum(case kind when 'debt' then amount when 'repay' then -amount else 0 end) as debt
  from line group by owner_id) x on x.owner_id = w.owner_id
where (w.balance, w.debt) <> (coalesce(x.balance, 0), coalesce(x.debt, 0))
union all
select 'journal_balance', l.owner_id || ' line ' || l.seq, l.owner_id, l.job_id
from (select owner_id, seq, job_id, balance,
             sum(change) over (partition by owner_id order by seq) as replayed
      from line) l
where l.balance <> l.replayed
union all
select 'owner_totals', owner_id, owner_id, null
from makegood.bucket
group by owner_id having sum(issued) <> sum(remaining + held + captured + expired)
union all
select 'owner_crossed', h.job_id || ' / ' || h.bucket_id, b.owner_id, h.job_id
from makegood.hold h
join makegood.job j on j.job_id = h.job_id
join makegood.bucket b on b.bucket_id = h.bucket_id
where b.owner_id <> j.owner_id
union all
select 'owner_crossed', l.owner_id || ' line ' || l.seq, l.owner_id, l.job_id
from makegood.journal l join makegood.bucket b on b.bucket_id = l.bucket_id
where b.owner_id <> l.owner_id
union all
select 'job_credits', j.job_id || ' ' || j.state, j.owner_id, j.job_id
from makegood.job j
join makegood.machine_state s
  on s.type = j.type and s.version = j.type_version and s.name = j.state
left join drawn x on x.job_id = j.job_id
where (s.holding in ('settled', 'over')) is distinct from (j.settled is not null)
   or (s.holding = 'none' and x.amount > 0)
   or (s.holding = 'held'
       and (coalesce(x.amount, 0) <> j.price or x.captured > 0 or x.open = 0))
   or (s.holding in ('settled', 'over') and x.amount > 0
       and (x.open <> 0 or x.captured is distinct from j.settled or x.amount <> j.price))
   or (s.holding in ('settled', 'over') and x.amount is null and j.settled <> 0)
union all
select 'failed_refund', j.job_id::text, j.owner_id, j.job_id
from makegood.job j join drawn x on x.job_id = j.job_id
where j.state = 'failed' and (x.captured > 0 or x.open > 0)
union all
select 'history_end', coalesce(j.job_id, x.job_id)::text, coalesce(j.owner_id, x.owner_id),
       coalesce(j.job_id, x.job_id)
from makegood.job j
full join (
  select job_id, min(owner_id) as owner_id, count(*) as lines, min(version) as first, max(version) as last
  from makegood.history group by job_id) x on x.job_id = j.job_id
left join makegood.history l on l.job_id = j.job_id and l.version = j.version
where (j.version + 1, 0, j.version, j.state) is distinct from (x.lines, x.first, x.last, l.to_state)
union all
select 'history_chain', h.job_id || ' ' || h.version, h.owner_id, h.job_id
from makegood.history h
left join makegood.history b on b.job_id = h.job_id and b.version = h.version - 1
where h.from_state is distinct from b.to_state
union all
select 'history_edge', h.job_id || ' ' || h.version, h.owner_id, h.job_id
from makegood.history h
join makegood.job j on j.job_id = h.job_id
left join makegood.machine_edge e
  on e.type = j.type and e.version = j.type_version
 and e.event = h.event and e.from_state = h.from_state and e.to_state = h.to_state
left join makegood.imported i on i.job_id = h.job_id
left join makegood.machine_state s  -- where a job may begin; one that was over elsewhere, where it ended
  on s.type = j.type and s.version = j.type_version and s.name = h.to_state
 and case when i.job_id is null then s.is_initial else s.is_terminal end
where case when h.version = 0 then s.name is null else e.event is null end
union all
-- What the referee asks before a step, asked again of what is kept: an edge with verdicts needs evidence of the
-- attempt that it leaves, always or once that was submitted; a price for cancelling needs the owner's wish.
select 'history_evidence', h.job_id || ' ' || h.version, h.owner_id, h.job_id
from makegood.history h
join makegood.job j on j.job_id = h.job_id
left join makegood.machine_edge e  -- left: the planner would take five equal columns for a rare thing
  on e.type = j.type and e.version = j.type_version
 and e.event = h.event and e.from_state = h.from_state and e.to_state = h.to_state
left join makegood.attempt a on a.job_id = h.job_id and a.number = h.attempt
where e.verdicts is not null and not e.opens_attempt
  and (e.evidence_always or a.intent_at <= h.at)
  and not exists (
    select 1 from makegood.evidence v
    where v.job_id = h.job_id and v.attempt = h.attempt and v.verdict = any(e.verdicts)
      and not (e.money = 'policy' and v.verdict = 'cancelled' and j.cancel_requested_at is null))
union all
select 'outbox_rows', job_id || ' ' || version, h.owner_id, job_id
from makegood.history h full join makegood.outbox o using (job_id, version)
where h.job_id is null or o.job_id is null
union all
-- Passed over, twice in it, before an earlier step of its job, or of no job.
select 'stream_places', job_id || ' ' || version, p.owner_id, job_id
from (
  select job_id, version, owner_id, place, max(place) over (
           partition by job_id order by version, place rows between unbounded preceding and 1 preceding) as before,
         lag(version) over (partition by job_id order by version, place) as last
  from makegood.placed) p
full join makegood.outbox o using (job_id, version)
cross join makegood.stream s
where o.job_id is null or p.place > s.place or p.place <= p.before or p.version = p.last
   or p.job_id is null and o.outbox_id <= s.reached and not o.outbox_id <@ s.gaps
union all
select 'attempt_numbers', j.job_id::text, j.owner_id, j.job_id
from makegood.job j
left join (select job_id, count(*) as n, min(number) as first, max(number) as last
           from makegood.attempt group by job_id) x on x.job_id = j.job_id
where (j.attempt, least(j.attempt, 1), j.attempt)
      is distinct from (coalesce(x.n, 0), coalesce(x.first, 0), coalesce(x.last, 0))
union all
select 'attempt_phase', a.job_id || ' ' || a.number, null, a.job_id
from makegood.attempt a
where (a.phase = 'closed') <> (a.closed_at is not null)
union all
select 'attempt_open', a.job_id || ' ' || a.number, j.owner_id, j.job_id
from makegood.attempt a join makegood.job j on j.job_id = a.job_id
where a.closed_at is null
  and (a.number <> j.attempt or (not j.slot and j.finished_at is null))
union all
select 'attempt_intent', a.job_id || ' ' || a.number, j.owner_id, j.job_id
from makegood.attempt a join makegood.job j on j.job_id = a.job_id and j.attempt = a.number
where (a.intent_at is not null) <> coalesce(j.intent_attempt = j.attempt, false)
union all
select 'attempt_draining', a.job_id || ' ' || a.number, j.owner_id, j.job_id
from makegood.attempt a join makegood.job j on j.job_id = a.job_id
where a.closed_at is null and j.finished_at is not null and a.draining_until is null
union all
-- An account may be left with fewer slots than are in use; then nothing is opened until enough are free.
select 'account_slots', p.name, null, null
from makegood.provider_account p
join makegood.attempt a on a.account = p.name and a.closed_at is null
group by p.name
having count(*) > p.capacity and max(a.opened_at) > max(p.capacity_since)
union all
select 'task_once', account || ' ' || task_id, null, null
from makegood.attempt where task_id is not null
group by account, task_id having count(*) > 1
union all
select 'job_times', j.job_id || ' ' || j.state, j.owner_id, j.job_id
from makegood.job j
join makegood.machine_state s
  on s.type = j.type and s.version = j.type_version and s.name = j.state
where (s.is_terminal, s.is_terminal) <> (j.finished_at is not null, j.deadline_at is null)
union all
-- Two days of grace: loops act on deadlines, a result may be fetched a day after its task was done, and a
-- service may be down over a night. What is later than that, no loop will end any more.
select 'job_overdue', j.job_id || ' ' || j.state, j.owner_id, j.job_id
from makegood.job j
where j.finished_at is null and j.deadline_at < makegood.now() - interval '2 days'
union all
select 'job_key', owner_id || ' ' || key, owner_id, null
from makegood.job where key is not null
group by owner_id, key having count(*) > 1
)
select broken.code, i.sentence as invariant, broken.subject, broken.owner_id, broken.job_id
from broken join makegood.invariant i using (code);
