-- What an edge does to the credits, set-wise for all jobs that one statement moved.
--
-- Lock order everywhere: jobs, then wallets by owner. A wallet is locked in one statement and its
-- buckets are read in the next, which sees what the former holder of the lock committed.

-- Reserve the price of each job over its owner's buckets, in spending order. Called by job_after.
create function makegood.hold_credits(p_jobs uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  moment timestamptz;  -- one for all of it: a bucket that expires meanwhile is in or out, never both
  short record;
  wanted bigint;
  drawn bigint;
begin
  if pg_trigger_depth() = 0 then
    raise exception 'credits are held by a transition, not by a call' using errcode = 'MG005';
  end if;
  perform 1 from makegood.wallet
    where owner_id in (select owner_id from makegood.job where job_id = any(p_jobs))
    order by owner_id for no key update;
  moment := makegood.now();

  select need.owner_id, need.price, coalesce(have.available, 0) as available into short
    from (select owner_id, sum(price) as price from makegood.job
          where job_id = any(p_jobs) group by owner_id) need
    left join lateral (
      select sum(remaining) as available from makegood.bucket b
      where b.owner_id = need.owner_id and remaining > 0
        and (expires_at is null or expires_at > moment)) have on true
    where need.price > coalesce(have.available, 0)
    order by need.owner_id limit 1;
  if found then
    raise exception 'wallet of % has % credits, % are needed',
                    short.owner_id, short.available, short.price
      using errcode = 'MG402',
            detail = json_build_object('owner', short.owner_id, 'price', short.price,
                                       'available', short.available)::text;
  end if;

  with need as (  -- each job wants a stretch of its owner's line of credits
    select job_id, owner_id, sum(price) over line - price as low, sum(price) over line as high
    from makegood.job where job_id = any(p_jobs) and price > 0
    window line as (partition by owner_id order by queued_at, job_id)
  ), have as (  -- each bucket covers a stretch of it
    select bucket_id, owner_id, sum(remaining) over line - remaining as low,
           sum(remaining) over line as high
    from makegood.bucket
    where owner_id in (select owner_id from need) and remaining > 0
      and (expires_at is null or expires_at > moment)
    window line as (partition by owner_id order by priority, expires_at nulls last, bucket_id)
  ), drawn as materialized (
    select job_id, bucket_id, owner_id,
           (least(need.high, have.high) - greatest(need.low, have.low))::bigint as amount,
           row_number() over (partition by owner_id order by need.low, have.low) as n
    from need join have using (owner_id)
    where least(need.high, have.high) > greatest(need.low, have.low)
  ), reserved as (
    insert into makegood.hold (job_id, bucket_id, amount)
    select job_id, bucket_id, amount from drawn
  ), moved as (
    update makegood.bucket b
    set remaining = b.remaining - d.amount, held = b.held + d.amount
    from (select bucket_id, sum(amount)::bigint as amount from drawn group by bucket_id) d
    where b.bucket_id = d.bucket_id
  ), written as (
    insert into makegood.journal (owner_id, seq, kind, bucket_id, job_id, amount, actor)
    select d.owner_id, w.seq + d.n, 'hold', d.bucket_id, d.job_id, d.amount, j.actor
    from drawn d join makegood.wallet w using (owner_id) join makegood.job j using (job_id)
    order by d.owner_id, d.n
  )
  update makegood.wallet w set seq = w.seq + c.n
  from (select owner_id, count(*) as n from drawn group by owner_id) c
  where w.owner_id = c.owner_id;

  select coalesce(sum(price), 0) into wanted from makegood.job where job_id = any(p_jobs);
  select coalesce(sum(amount), 0) into drawn from makegood.hold where job_id = any(p_jobs);
  if drawn <> wanted then
    raise exception '% credits were drawn for jobs that cost %', drawn, wanted using errcode = 'MG005';
  end if;
end $$;

-- Settle the holds of each job: `job.settled` credits are captured in spending order, so what was
-- drawn last comes back first; the rest returns to its bucket, or, where that has expired meanwhile,
-- to a new grace bucket. Called by job_after.
create function makegood.settle_credits(p_jobs uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
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
    select h.job_id, h.bucket_id, j.owner_id, j.actor, j.settled, h.amount, b.priority,
           coalesce(b.expires_at <= moment, false) as late,
           sum(h.amount) over (partition by h.job_id
                               order by b.priority, b.expires_at nulls last, b.bucket_id) as high
    from makegood.hold h
    join makegood.job j using (job_id) join makegood.bucket b using (bucket_id)
    where h.job_id = any(p_jobs) and h.captured is null
  ), part as materialized (
    select job_id, bucket_id, owner_id, actor, amount, priority, late,
           greatest(0, least(amount, settled - (high - amount)))::bigint as captured
    from open
  ), settled as (
    update makegood.hold h set captured = part.captured, released = part.amount - part.captured
    from part where h.job_id = part.job_id and h.bucket_id = part.bucket_id
  ), moved as (
    update makegood.bucket b
    set held = b.held - s.amount, captured = b.captured + s.captured,
        remaining = b.remaining + s.back, expired = b.expired + s.late
    from (select bucket_id, sum(amount)::bigint as amount, sum(captured)::bigint as captured,
                 sum(case when late then 0 else amount - captured end)::bigint as back,
                 sum(case when late then amount - captured else 0 end)::bigint as late
          from part group by bucket_id) s
    where b.bucket_id = s.bucket_id
  ), grace as (
    insert into makegood.bucket (owner_id, kind, priority, expires_at, source_ref, issued, remaining)
    select owner_id, 'grace', priority, moment + interval '30 days',
           'grace:' || job_id || ':' || bucket_id, amount - captured, amount - captured
    from part where late and amount > captured
    returning bucket_id, source_ref, issued
  ), line as (
    select owner_id, job_id, bucket_id, actor, 1 as place, 'capture' as kind, captured as amount
    from part where captured > 0
    union all
    select owner_id, job_id, bucket_id, actor, 2, 'release', amount - captured
    from part where amount > captured
    union all
    select owner_id, job_id, bucket_id, actor, 3, 'expire', amount - captured
    from part where late and amount > captured
    union all
    select part.owner_id, part.job_id, grace.bucket_id, part.actor, 4, 'issue', grace.issued
    from grace join part on grace.source_ref = 'grace:' || part.job_id || ':' || part.bucket_id
  ), numbered as materialized (
    select *, row_number() over (partition by owner_id order by job_id, place, bucket_id) as n
    from line
  ), written as (
    insert into makegood.journal (owner_id, seq, kind, bucket_id, job_id, amount, actor)
    select l.owner_id, w.seq + l.n, l.kind, l.bucket_id, l.job_id, l.amount, l.actor
    from numbered l join makegood.wallet w using (owner_id)
    order by l.owner_id, l.n
  )
  update makegood.wallet w set seq = w.seq + c.n
  from (select owner_id, count(*) as n from numbered group by owner_id) c
  where w.owner_id = c.owner_id;
end $$;
