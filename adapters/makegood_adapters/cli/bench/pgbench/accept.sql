-- Accept one job, the way a careful hand would write it: one statement, no trigger, everything in it.
\set n :n + 1
\set id :first + :client_id * :range + :n
with moved as (
  update makegood.job
  set state = 'queued', previous_state = state, version = version + 1, moved = true, money = 'hold',
      waiting = true, event = 'accept', actor = 'pgbench', operation_id = gen_random_uuid(),
      entered_at = now(), queued_at = now(), queue_deadline_at = now() + interval '6 hours',
      deadline_at = now() + interval '6 hours'
  where job_id = ('00000000-0000-7000-8000-' || lpad(to_hex(:id::bigint), 12, '0'))::uuid and state = 'pending'
  returning job_id, version, owner_id, type, operation_id, price, attempt
), wallet as (
  update makegood.wallet w set seq = w.seq + 1, balance = w.balance - m.price from moved m
  where w.owner_id = m.owner_id
  returning w.seq, w.balance
), drawn as (  -- joined with the wallet so that its row is locked first, everywhere
  update makegood.bucket b set remaining = b.remaining - m.price, held = b.held + m.price
  from moved m, wallet
  where b.bucket_id = (
    select o.bucket_id from makegood.bucket o
    where o.owner_id = m.owner_id and not o.drained and o.remaining >= m.price
      and (o.expires_at is null or o.expires_at > now())
    order by o.priority, o.expires_at nulls last, o.bucket_id limit 1)
  returning b.bucket_id
), held as (
  insert into makegood.hold (job_id, bucket_id, amount)
  select m.job_id, d.bucket_id, m.price from moved m, drawn d
), posted as (
  insert into makegood.journal (owner_id, seq, kind, bucket_id, job_id, amount, balance, actor)
  select m.owner_id, w.seq, 'hold', d.bucket_id, m.job_id, m.price, w.balance, 'pgbench'
  from moved m, wallet w, drawn d
), told as (
  insert into makegood.history (job_id, version, operation_id, owner_id, type, event, from_state, to_state,
                                actor, attempt)
  select job_id, version, operation_id, owner_id, type, 'accept', 'pending', 'queued', 'pgbench', attempt
  from moved
), announced as (
  insert into makegood.outbox (job_id, version) select job_id, version from moved
)
select 1 / count(*) from drawn;
