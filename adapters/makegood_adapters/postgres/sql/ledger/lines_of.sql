-- Read the lines of the journal that a job wrote, each with the transition behind it. Called by
-- Ledger.lines_of.
select l.owner_id, l.seq, l.kind, l.amount, l.balance, l.at as written_at, l.bucket_id,
       b.kind as bucket_kind, b.expires_at, b.source_ref, b.unlimited,
       coalesce(b.origin_id, b.bucket_id) as origin_id, l.job_id, j.type, h.version, h.operation_id, h.event,
       h.from_state, h.to_state, h.actor, h.reason, h.attempt, h.at, h.money,
       case when h.version = j.version then j.error ->> 'category' end as category
from makegood.journal l
join makegood.bucket b using (bucket_id)
left join makegood.job j on j.job_id = l.job_id
left join lateral (
  select s.version, s.operation_id, s.event, s.from_state, s.to_state, s.actor, s.reason, s.attempt, s.at,
         e.money
  from makegood.history s
  join makegood.machine_edge e on (e.type, e.version, e.event, e.from_state, e.to_state)
                                = (j.type, j.type_version, s.event, s.from_state, s.to_state)
  where s.job_id = l.job_id and e.money <> 'none'
    and (e.money = 'hold') = (l.kind = 'hold' or (l.kind = 'issue' and b.unlimited))
  order by s.version limit 1) h on true
where l.job_id = $1 order by l.seq
