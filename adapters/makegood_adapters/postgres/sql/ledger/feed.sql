-- Read the journal of all owners downwards from a place, each line with the transition behind it. What
-- belongs to it is looked up line by line (`offset 0`), however short the tables are. Called by Ledger.feed.
select l.journal_id, l.owner_id, l.seq, l.kind, l.amount, l.balance, l.at as written_at, l.bucket_id,
       b.kind as bucket_kind, b.expires_at, b.source_ref, b.unlimited,
       coalesce(b.origin_id, b.bucket_id) as origin_id, l.job_id, j.type, h.version, h.operation_id, h.event,
       h.from_state, h.to_state, h.actor, h.reason, h.attempt, h.at, h.money,
       case when h.version = j.version then j.error ->> 'category' end as category
from (select journal_id, owner_id, seq, kind, amount, balance, at, bucket_id, job_id
      from makegood.journal where journal_id < coalesce($2, 9223372036854775807)
      order by journal_id desc limit $1) l
cross join lateral (select kind, expires_at, source_ref, unlimited, origin_id, bucket_id
                    from makegood.bucket where bucket_id = l.bucket_id offset 0) b
left join lateral (select type, type_version, version, error
                   from makegood.job where job_id = l.job_id offset 0) j on true
left join lateral (
  select s.version, s.operation_id, s.event, s.from_state, s.to_state, s.actor, s.reason, s.attempt, s.at,
         e.money
  from makegood.history s
  join makegood.machine_edge e on (e.type, e.version, e.event, e.from_state, e.to_state)
                                = (j.type, j.type_version, s.event, s.from_state, s.to_state)
  where s.job_id = l.job_id and e.money <> 'none'
    and (e.money = 'hold') = (l.kind = 'hold' or (l.kind = 'issue' and b.unlimited))
  order by s.version limit 1) h on true
order by l.journal_id desc
