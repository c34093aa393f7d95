-- Wallets of buckets, and the append-only journal from which both can be computed again.

create table makegood.wallet (  -- one row an owner: the lock of its buckets, the journal's counter
  owner_id   text primary key check (owner_id <> ''),
  seq        bigint not null default 0 check (seq >= 0),
  balance    bigint not null default 0 check (balance >= 0),  -- what remains in all its buckets
  debt       bigint not null default 0 check (debt >= 0),     -- spent of payments that were taken back
  created_at timestamptz not null default makegood.now()
) with (fillfactor = 70);

create table makegood.bucket (
  bucket_id       bigint generated always as identity primary key,
  owner_id        text not null references makegood.wallet,
  kind            text not null check (kind <> ''),
  priority        integer not null,
  expires_at      timestamptz,
  source_ref      text not null check (source_ref <> ''),
  plan            text,                               -- whose cycle this is; the next one ends it
  origin_id       bigint references makegood.bucket,  -- a grace bucket: where its credits come from
  unlimited       boolean not null default false,     -- a hold issues what it takes, nothing remains
  charged_back_at timestamptz,                        -- what comes back from now on pays debt first
  issued          bigint not null check (issued >= 0),
  remaining       bigint not null check (remaining >= 0),
  held            bigint not null default 0 check (held >= 0),
  captured        bigint not null default 0 check (captured >= 0),
  expired         bigint not null default 0 check (expired >= 0),  -- also withdrawn, or paid for debt
  created_at      timestamptz not null default makegood.now(),
  -- for the indexes: `remaining` itself in their conditions would make every draw write to all of them
  drained         boolean generated always as (remaining = 0 and not unlimited) stored,
  unique (owner_id, source_ref),
  constraint conserved check (issued = remaining + held + captured + expired),
  check (case when unlimited then remaining = 0 else issued > 0 end)
) with (fillfactor = 70);
create index bucket_spending on makegood.bucket (owner_id, priority, expires_at, bucket_id)
  where not drained;
create index bucket_expiring on makegood.bucket (expires_at)
  where not drained and not unlimited and expires_at is not null;

create table makegood.ledger_rule (  -- one row, written when a store is told its machines
  only_row      boolean primary key default true check (only_row),
  grace_seconds double precision not null check (grace_seconds > 0)  -- life of credits that come back late
);

-- A row debits one account and credits another: always balanced. No foreign keys: the functions below
-- take wallet and bucket from rows that they have locked, no such row is ever deleted, `violation` looks
-- at both, and checking them once more would be a third of the price of a hold.
create table makegood.journal (
  journal_id bigint generated always as identity primary key,
  owner_id   text not null,
  seq        bigint not null check (seq > 0),
  kind       text not null check (kind in ('issue', 'hold', 'capture', 'release', 'expire',
                                           'withdraw', 'debt', 'repay')),
  bucket_id  bigint not null,
  job_id     uuid,
  amount     bigint not null check (amount > 0),
  balance    bigint not null default 0 check (balance >= 0),  -- the wallet's, after this line
  actor      text not null,
  at         timestamptz not null default makegood.now(),
  unique (owner_id, seq),
  check (job_id is not null or kind in ('issue', 'expire', 'withdraw', 'debt', 'repay'))
);
create unique index journal_settles_once on makegood.journal (job_id, bucket_id, kind)
  where job_id is not null;
create index journal_bucket on makegood.journal (bucket_id);

create trigger append_only before update or delete on makegood.journal
  for each row execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.journal
  for each statement execute function makegood.forbid();
create trigger no_delete before delete on makegood.wallet
  for each row execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.wallet
  for each statement execute function makegood.forbid();
create trigger no_delete before delete on makegood.bucket
  for each row execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.bucket
  for each statement execute function makegood.forbid();

create view makegood.posting as  -- the journal in the classic form: two lines an entry
select journal_id, owner_id, at, job_id, account, debit, credit
from makegood.journal
cross join lateral (values
  (case when kind = 'issue' then 'world'
        when kind = 'debt' then 'debt:' || owner_id
        when kind in ('capture', 'release') then 'hold:' || job_id || ':' || bucket_id
        else 'bucket:' || bucket_id end, amount, 0::bigint),
  (case when kind in ('issue', 'release') then 'bucket:' || bucket_id
        when kind = 'hold' then 'hold:' || job_id || ':' || bucket_id
        when kind = 'capture' then 'earned'
        when kind = 'expire' then 'expired'
        when kind = 'repay' then 'debt:' || owner_id
        else 'world' end, 0::bigint, amount)
) as line (account, debit, credit);

-- Open a bucket, once per (owner, source), and pay the wallet's debt out of it; null: it was there.
-- Called by grant_credits, grant_unlimited (without an amount) and start_cycle.
create function makegood.open_bucket(
  p_owner text, p_kind text, p_amount bigint, p_source_ref text, p_priority integer,
  p_expires_at timestamptz, p_plan text, p_actor text
) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  opened bigint;
  paid bigint;
begin
  if p_amount not between 1 and 1000000000000 then
    raise exception '% credits cannot be granted: give a whole number from 1 to 1,000,000,000,000', p_amount
      using errcode = 'MG006';
  end if;
  insert into makegood.wallet (owner_id) values (p_owner) on conflict do nothing;
  select least(debt, coalesce(p_amount, 0)) into paid
    from makegood.wallet where owner_id = p_owner for no key update;
  insert into makegood.bucket
      (owner_id, kind, priority, expires_at, source_ref, plan, unlimited, issued, remaining, expired)
    values (p_owner, p_kind, p_priority, p_expires_at, p_source_ref, p_plan, p_amount is null,
            coalesce(p_amount, 0), coalesce(p_amount, 0) - paid, paid)
    on conflict (owner_id, source_ref) do nothing
    returning bucket_id into opened;
  if opened is null then
    return null;
  end if;
  if p_expires_at <= makegood.now() then
    raise exception 'the credits would expire at %, which has passed: give a time to come', p_expires_at
      using errcode = 'MG006';
  end if;
  insert into makegood.journal (owner_id, seq, kind, bucket_id, amount, balance, actor)
    select p_owner, w.seq + line.n, line.kind, opened, line.amount, w.balance + line.change, p_actor
    from makegood.wallet w, (values (1, 'issue', p_amount, p_amount),
                                    (2, 'repay', paid, p_amount - paid)) line (n, kind, amount, change)
    where w.owner_id = p_owner and line.amount > 0;
  update makegood.wallet w
    set seq = w.seq + (p_amount is not null)::integer + (paid > 0)::integer,
        balance = w.balance + coalesce(p_amount, 0) - paid, debt = w.debt - paid
    where w.owner_id = p_owner and p_amount is not null;
  return opened;
end $$;

-- Refuse a source that only the ledger itself may name. Called by the grants.
create function makegood.check_source(p_source_ref text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if p_source_ref like 'grace:%' then
    raise exception 'sources that begin with "grace:" are for credits that come back after their expiry'
      using errcode = 'MG005';
  end if;
  if p_source_ref like 'plan:%' then
    raise exception 'sources that begin with "plan:" are for the cycles of a plan: start_cycle makes them'
      using errcode = 'MG005';
  end if;
end $$;

-- Issue a bucket of credits, once per (owner, source). Called by Ledger.grant.
create function makegood.grant_credits(
  p_owner text, p_kind text, p_amount bigint, p_source_ref text, p_priority integer,
  p_expires_at timestamptz, p_actor text
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform makegood.check_source(p_source_ref);
  if p_amount is null then
    raise exception 'a grant needs an amount; what has no limit is granted by grant_unlimited'
      using errcode = 'MG006';
  end if;
  return makegood.open_bucket(p_owner, p_kind, p_amount, p_source_ref, p_priority, p_expires_at,
                              null, p_actor) is not null;
end $$;

-- Open a bucket that covers every price until it expires, once per (owner, source).
-- Called by Ledger.grant_unlimited.
create function makegood.grant_unlimited(
  p_owner text, p_kind text, p_source_ref text, p_priority integer, p_expires_at timestamptz,
  p_actor text
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform makegood.check_source(p_source_ref);
  return makegood.open_bucket(p_owner, p_kind, null, p_source_ref, p_priority, p_expires_at,
                              null, p_actor) is not null;
end $$;

-- Begin a plan's next cycle, once per (owner, plan, cycle): its bucket is issued, and the former ones
-- end, what is held of them excepted; or, when they roll over, live as long as the new one.
-- Called by Ledger.start_cycle.
create function makegood.start_cycle(
  p_owner text, p_plan text, p_cycle text, p_kind text, p_amount bigint, p_priority integer,
  p_expires_at timestamptz, p_rolls_over boolean, p_actor text
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  moment timestamptz;
  opened bigint;
begin
  if p_amount is null then
    raise exception 'a cycle needs an amount; what has no limit is granted by grant_unlimited'
      using errcode = 'MG006';
  end if;
  if p_plan = '' or p_plan like '%:%' or p_cycle = '' then
    raise exception 'plan and cycle need names, and that of the plan no colon: % / %', p_plan, p_cycle
      using errcode = 'MG006';
  end if;
  opened := makegood.open_bucket(p_owner, p_kind, p_amount, 'plan:' || p_plan || ':' || p_cycle,
                                 p_priority, p_expires_at, p_plan, p_actor);
  if opened is null then
    return false;
  end if;
  moment := makegood.now();
  if exists (select 1 from makegood.bucket where owner_id = p_owner and plan = p_plan
               and bucket_id <> opened and expires_at > p_expires_at) then
    raise exception 'cycle % of plan % ends before one that has begun already: start cycles in order',
                    p_cycle, p_plan using errcode = 'MG006';
  end if;
  if p_rolls_over then
    update makegood.bucket set expires_at = p_expires_at
      where owner_id = p_owner and plan = p_plan and bucket_id <> opened
        and (expires_at is null or expires_at > moment);
    return true;
  end if;
  with former as materialized (
    select bucket_id, remaining, row_number() over line as n, sum(remaining) over line as gone
    from makegood.bucket
    where owner_id = p_owner and plan = p_plan and bucket_id <> opened and remaining > 0
    window line as (order by bucket_id)
  ), written as (
    insert into makegood.journal (owner_id, seq, kind, bucket_id, amount, balance, actor)
    select p_owner, w.seq + f.n, 'expire', f.bucket_id, f.remaining, w.balance - f.gone, p_actor
    from former f, makegood.wallet w where w.owner_id = p_owner
  ), counted as (
    update makegood.wallet w set seq = w.seq + f.n, balance = w.balance - f.gone
    from (select count(*) as n, sum(remaining) as gone from former) f
    where w.owner_id = p_owner and f.n > 0
  )
  update makegood.bucket b
    set remaining = 0, expired = b.expired + b.remaining, expires_at = least(b.expires_at, moment)
    where owner_id = p_owner and plan = p_plan and bucket_id <> opened
      and (remaining > 0 or expires_at is null or expires_at > moment);
  return true;
end $$;

-- Take a payment back, once: what remains of its bucket is withdrawn, and what was spent or is held
-- becomes a debt of the wallet, which the next grant pays, or what is still held when it comes back.
-- The grace buckets that came of it go the same way. Called by Ledger.charge_back.
create function makegood.charge_back(p_owner text, p_source_ref text, p_actor text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  moment timestamptz;
  source makegood.bucket;
begin
  perform 1 from makegood.wallet where owner_id = p_owner for no key update;
  moment := makegood.now();
  select * into source from makegood.bucket
    where owner_id = p_owner and source_ref = p_source_ref and origin_id is null;
  if not found then
    raise exception '% has no grant with the source %: give the source_ref under which it was granted',
                    p_owner, p_source_ref using errcode = 'MG006';
  end if;
  if source.charged_back_at is not null then
    return false;
  end if;
  with taken as materialized (
    select b.bucket_id, b.remaining,
           case when b.unlimited then 0 else b.held + b.captured + coalesce(  -- what it paid is owed again
             (select sum(amount) from makegood.journal j
              where j.bucket_id = b.bucket_id and j.kind = 'repay'), 0) end::bigint as owed
    from makegood.bucket b
    where b.owner_id = p_owner and source.bucket_id in (b.bucket_id, b.origin_id)
  ), ended as (
    update makegood.bucket b
    set remaining = 0, expired = b.expired + b.remaining, charged_back_at = moment,
        expires_at = case when b.unlimited then least(b.expires_at, moment) else b.expires_at end
    from taken t where b.bucket_id = t.bucket_id
  ), line as materialized (
    select t.bucket_id, l.kind, l.amount, row_number() over line as n, sum(l.gone) over line as gone
    from taken t, lateral (values (1, 'withdraw', t.remaining, t.remaining),
                                  (2, 'debt', t.owed, 0)) l (place, kind, amount, gone)
    where l.amount > 0
    window line as (order by t.bucket_id, l.place)
  ), written as (
    insert into makegood.journal (owner_id, seq, kind, bucket_id, amount, balance, actor)
    select p_owner, w.seq + line.n, line.kind, line.bucket_id, line.amount, w.balance - line.gone, p_actor
    from line, makegood.wallet w where w.owner_id = p_owner
  )
  update makegood.wallet w
    set seq = w.seq + t.n, balance = w.balance - t.gone, debt = w.debt + t.owed
    from (select (select count(*) from line) as n, sum(remaining) as gone, sum(owed) as owed from taken) t
    where w.owner_id = p_owner;
  return true;
end $$;

-- Take what remains out of buckets past their expiry; what is held stays held. Called by Ledger.expire.
create function makegood.expire_credits(p_limit integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  moment timestamptz := makegood.now();
  owners text[];
  n integer;
begin
  select array_agg(distinct owner_id order by owner_id) into owners from (
    select owner_id from makegood.bucket
    where not drained and not unlimited and expires_at <= moment
    order by expires_at limit p_limit) due;
  perform 1 from makegood.wallet where owner_id = any(owners) order by owner_id for no key update;
  with due as materialized (
    select bucket_id, owner_id, remaining,
           row_number() over line as n, sum(remaining) over line as gone
    from makegood.bucket
    where owner_id = any(owners) and not drained and not unlimited and expires_at <= moment
    window line as (partition by owner_id order by bucket_id)
  ), taken as (
    update makegood.bucket b set remaining = 0, expired = b.expired + b.remaining
    from due where b.bucket_id = due.bucket_id
  ), written as (
    insert into makegood.journal (owner_id, seq, kind, bucket_id, amount, balance, actor)
    select due.owner_id, w.seq + due.n, 'expire', due.bucket_id, due.remaining, w.balance - due.gone, 'expiry'
    from due join makegood.wallet w using (owner_id)
    order by due.owner_id, due.n
  ), counted as (
    update makegood.wallet w set seq = w.seq + c.n, balance = w.balance - c.gone
    from (select owner_id, count(*) as n, sum(remaining) as gone from due group by owner_id) c
    where w.owner_id = c.owner_id
  )
  select count(*) into n from due;
  return n;
end $$;
