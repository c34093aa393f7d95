-- Keep what a count says of uncertain attempts, if no attempt was sent or ended since it began.
-- Called by Accounts.end_reading.
update makegood.attempt u
set count_void = not $5::boolean
                 or makegood.now() > coalesce(u.counted_at, u.intent_at) + make_interval(secs => $6),
    counted_late_at = coalesce(u.counted_late_at,
                               case when u.intent_at + make_interval(secs => $7) <= $2 then $2 end),
    counted_at = greatest(u.counted_at, $2::timestamptz)
where u.account = $1 and u.phase = 'uncertain' and u.task_id is null and not u.count_void
  and not exists (select 1 from makegood.attempt s where s.account = $1 and s.closed_at is null
                    and (s.phase = 'submitting' or s.intent_at > $2))
  and (select array_agg((s.job_id, s.number) order by s.job_id) from makegood.attempt s
       where s.account = $1 and s.closed_at is null and s.phase = 'accepted')
      is not distinct from (select array_agg((w.job_id, w.number) order by w.job_id)
                            from unnest($3::uuid[], $4::integer[]) as w (job_id, number))
