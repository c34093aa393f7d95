-- Find uncertain attempts of which counts have proved that they have no task. Called by Accounts.end_reading.
select a.job_id, a.number from makegood.attempt a
where a.account = $1 and a.phase = 'uncertain' and a.task_id is null and not a.count_void
  and a.counted_at >= a.counted_late_at + interval '1 second'  -- two, at two moments
  and not exists (select 1 from makegood.inbox i
                  where i.job_id = a.job_id and i.attempt = a.number and i.source = 'webhook')
