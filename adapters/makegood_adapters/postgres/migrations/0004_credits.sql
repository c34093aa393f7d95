-- What an edge does to the credits, set-wise for all jobs that one statement moved.
--
-- Lock order everywhere: jobs, then wallets by owner. A wallet is locked in one statement and its
-- buckets are read in the next, which sees what the former holder of the lock committed.
--
-- The plans are made once (force_generic_plan): planning these statements for every call, as the server
-- would choose to, takes longer than running them for one job. They look rows up by key and join by
-- owner in order, so one plan serves one job and five hundred.

-- Reserve the price of each job over its owner's buckets, in spending order. Called by job_after.
create function makegood.hold_credits(p_jobs uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
set enable_hashjoin = on set enable_mergejoin = on as $$
declare
  moment timestamptz;  -- one for all of it: a bucket that expires meanwhile is in or out, never both
  wanted bigint;
  drawn bigint;
  reserved bigint;
begin
  if pg_trigger_depth() = 0 then
    raise exception 'credits are held by a transition, not by a call' using errcode = 'MG005';
  end if;
  perform 1 from makegood.wallet
    where owner_id in (select owner_id from makegood.job where job_id = any(p_jobs))
    order by owner_id for no key update;
  moment := makegood.now();

  with need as materialized (  -- each job wants a stretch of its owner's line of credits
    select job_id, owner_id, actor, price,
           (sum(price) over line)::bigint - price as low, (sum(price) over line)::bigint as high
    from makegood.job where job_id = any(p_jobs) and price > 0
    window line as (partition by owner_id order by queued_at, job_id)
  ), have as (  -- each bucket covers a stretch of it, one without limit all that follows
    select bucket_id, owner_id, unlimited, (sum(size) over line)::bigint - size as low,
           (sum(size) over line)::bigint as high
    from makegood.bucket b
    cross join lateral (select case when unlimited then 1000000000000000 else remaining end) s (size)
    where owner_id in (select owner_id from need) and not drained
      and (expires_at is null or expires_at > moment)
    window line as (partition by owner_id order by priority, expires_at nulls last, bucket_id)
  ), part as materialized (
    select job_id, bucket_id, owner_id, actor, unlimited, need.low as place, have.low as depth,
           least(need.high, have.high) - greatest(need.low, have.low) as amount
    from need join have using (owner_id)
    where least(need.high, have.high) > greatest(need.low, have.low)
  ), kept as (
    insert into makegood.hold (job_id, bucket_id, amount)
    select job_id, bucket_id, amount from part
    returning amount
  ), moved as (
    update makegood.bucket b
    set remaining = b.remaining - case when b.unlimited then 0 else d.amount end,
        issued = b.issued + case when b.unlimited then d.amount else 0 end, held = b.held + d.amount
    from (select bucket_id, sum(amount)::bigint as amount from part group by bucket_id) d
    where b.bucket_id = d.bucket_id
  ), line as materialized (
    select owner_id, job_id, bucket_id, actor, kind, amount,
           row_number() over line as n, (sum(change) over line)::bigint as change
    from (select part.*, 1 as rank, 'hold' as kind, -amount as change from part
          union all
          select part.*, 0, 'issue', amount from part where unlimited) l
    window line as (partition by owner_id order by place, depth, rank)
  ), written as (
    insert into makegood.journal (owner_id, seq, kind, bucket_id, job_id, amount, balance, actor)
    select l.owner_id, w.seq + l.n, l.kind, l.bucket_id, l.job_id, l.amount, w.balance + l.change, l.actor
    from line l join makegood.wallet w using (owner_id)
    order by l.owner_id, l.n
  ), counted as (
    update makegood.wallet w set seq = w.seq + c.n, balance = w.balance - c.drawn
    from (select owner_id, count(*) as n,
                 sum(case kind when 'hold' then amount else -amount end) as drawn
          from line group by owner_id) c
    where w.owner_id = c.owner_id
  )
  select (select sum(price) from need), (select sum(amount) from part), (select sum(amount) from kept)
    into wanted, drawn, reserved;
  if drawn is distinct from wanted then
    perform makegood.refuse_short(p_jobs, moment);
  end if;
  if reserved is distinct from wanted then
    raise exception '% credits were drawn for jobs that cost %', coalesce(reserved, 0), wanted
      using errcode = 'MG005';
  end if;
end $$;

-- Say which wallet was too small; all that was drawn is taken back with it. Called by hold_credits.
create function makegood.refuse_short(p_jobs uuid[], p_moment timestamptz) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  short record;
begin
  select need.owner_id, need.price, have.left + drawn.amount as available into short
    from (select owner_id, sum(price) as price from makegood.job
          where job_id = any(p_jobs) group by owner_id) need
    cross join lateral (
      select coalesce(sum(remaining), 0) as left from makegood.bucket b
      where b.owner_id = need.owner_id and not drained
        and (expires_at is null or expires_at > p_moment)) have
    cross join lateral (
      select coalesce(sum(j.amount), 0) as amount from makegood.journal j
      where j.job_id = any(p_jobs) and j.kind = 'hold' and j.owner_id = need.owner_id) drawn
    where need.price > drawn.amount
    order by need.owner_id limit 1;
  raise exception 'wallet of % has % credits, % are needed', short.owner_id, short.available, short.price
    using errcode = 'MG402',
          detail = json_build_object('owner', short.owner_id, 'price', short.price,
                                     'available', short.available)::text;
end $$;

-- Settle the holds of each job: `job.settled` credits are captured in spending order, so what was
-- drawn last comes back first. The rest returns to its bucket, with three exceptions: where the
-- payment of the bucket was taken back it pays the wallet's debt first; where the bucket has expired
-- meanwhile it goes to a new grace bucket; where the bucket has no limit it is gone at once.
-- Called by job_after.
create function makegood.settle_credits(p_jobs uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
set enable_hashjoin = on set enable_mergejoin = on as $$
declare
  moment timestamptz;
begin
  if pg_trigger_depth() = 0 then
    raise exception 'credits are settled by a transition, not by a call' using errcode = 'MG005';
  end if;
  perform 1 from makegood.wallet
    where owner_id in (select owner_id from makegood.job where job_id = any(p_jobs))
    order by owner_id for no key update;
  moment := makegood.now();

  with open as (
    select h.job_id, h.bucket_id, j.owner_id, j.actor, j.settled, h.amount, b.priority, b.unlimited,
           coalesce(b.origin_id, b.bucket_id) as origin_id,
           case when b.charged_back_at is not null and not b.unlimited then (
             select debt from makegood.wallet w where w.owner_id = j.owner_id) end as debt,
           coalesce(b.expires_at <= moment, false) as late,
           (sum(h.amount) over (partition by h.job_id order by b.priority, b.expires_at nulls last,
                                b.bucket_id))::bigint - h.amount as low
    from makegood.hold h
    join makegood.job j using (job_id) join makegood.bucket b using (bucket_id)
    where h.job_id = any(p_jobs) and h.captured is null
  ), cut as (
    select *, greatest(0, least(amount, settled - low)) as captured,
           amount - greatest(0, least(amount, settled - low)) as back
    from open
  ), part as materialized (  -- of what comes back, `paid` goes to debt, `gone` with it or by expiry
    select *, case when unlimited or late then back else paid end as gone,
           case when late and not unlimited then back - paid else 0 end as grace
    from (select *, case when debt > 0 then greatest(0, least(back, back + debt - (
                      sum(case when debt > 0 then back end)
                      over (partition by owner_id order by job_id, bucket_id))::bigint)) else 0 end as paid
          from cut) c
  ), settled as (
    update makegood.hold h set captured = part.captured, released = part.back
    from part where h.job_id = part.job_id and h.bucket_id = part.bucket_id
  ), moved as (
    update makegood.bucket b
    set held = b.held - s.amount, captured = b.captured + s.captured,
        remaining = b.remaining + s.back - s.gone, expired = b.expired + s.gone
    from (select bucket_id, sum(amount)::bigint as amount, sum(captured)::bigint as captured,
                 sum(back)::bigint as back, sum(gone)::bigint as gone
          from part group by bucket_id) s
    where b.bucket_id = s.bucket_id
  ), grace as (
    insert into makegood.bucket
      (owner_id, kind, priority, expires_at, source_ref, origin_id, issued, remaining)
    select owner_id, 'grace', priority,
           moment + make_interval(secs => (select grace_seconds from makegood.ledger_rule)),
           'grace:' || job_id || ':' || bucket_id, origin_id, grace, grace
    from part where grace > 0
    returning owner_id, split_part(source_ref, ':', 2)::uuid as job_id, bucket_id, issued
  ), line as materialized (
    select owner_id, job_id, bucket_id, actor, kind, amount, change, row_number() over line as n,
           (sum(change) over line)::bigint as total
    from (
      select owner_id, job_id, bucket_id, actor, l.*
      from part cross join lateral (values
        (1, 'capture', captured, 0), (2, 'release', back, back), (3, 'repay', paid, -paid),
        (4, 'expire', gone - paid, paid - gone)) l (place, kind, amount, change)
      where l.amount > 0
      union all
      select g.owner_id, g.job_id, g.bucket_id, (select actor from makegood.job j where j.job_id = g.job_id),
             5, 'issue', g.issued, g.issued
      from grace g) l
    window line as (partition by owner_id order by job_id, place, bucket_id)
  ), written as (
    insert into makegood.journal (owner_id, seq, kind, bucket_id, job_id, amount, balance, actor)
    select l.owner_id, w.seq + l.n, l.kind, l.bucket_id, l.job_id, l.amount, w.balance + l.total, l.actor
    from line l join makegood.wallet w using (owner_id)
    order by l.owner_id, l.n
  )
  update makegood.wallet w
  set seq = w.seq + c.n, balance = w.balance + c.change, debt = w.debt - c.paid
  from (select owner_id, count(*) as n, sum(change) as change,
               coalesce(sum(amount) filter (where kind = 'repay'), 0) as paid
        from line group by owner_id) c
  where w.owner_id = c.owner_id;
end $$;
