-- Keep a provider's message, once, and make its attempt due. Called by Hints.receive.
with known as (
  select job_id, number from makegood.attempt where token_hash = $1
), kept as (
  insert into makegood.inbox (job_id, attempt, source, digest, body, task_id)
  select job_id, number, 'webhook', $2, $3, $4 from known
  on conflict (job_id, attempt, source, digest) do update set copies = inbox.copies + 1
), due as (
  update makegood.attempt a set next_ask_at = makegood.now()
  from known where a.job_id = known.job_id and a.number = known.number and a.closed_at is null
)
select job_id, number from known
