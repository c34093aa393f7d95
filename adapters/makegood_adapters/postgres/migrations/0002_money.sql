-- Wallets of buckets, and the append-only journal from which both can be computed again.

create table makegood.wallet (  -- one row an owner: the lock of its buckets, the journal's counter
  owner_id   text primary key check (owner_id <> ''),
  seq        bigint not null default 0 check (seq >= 0),
  created_at timestamptz not null default makegood.now()
);

create table makegood.bucket (
  bucket_id  bigint generated always as identity primary key,
  owner_id   text not null references makegood.wallet,
  kind       text not null check (kind <> ''),
  priority   integer not null,
  expires_at timestamptz,
  source_ref text not null check (source_ref <> ''),
  issued     bigint not null check (issued > 0),
  remaining  bigint not null check (remaining >= 0),
  held       bigint not null default 0 check (held >= 0),
  captured   bigint not null default 0 check (captured >= 0),
  expired    bigint not null default 0 check (expired >= 0),
  created_at timestamptz not null default makegood.now(),
  unique (owner_id, source_ref),
  constraint conserved check (issued = remaining + held + captured + expired)
);
create index bucket_spending on makegood.bucket (owner_id, priority, expires_at, bucket_id)
  where remaining > 0;
create index bucket_expiring on makegood.bucket (expires_at)
  where remaining > 0 and expires_at is not null;

create table makegood.journal (  -- a row debits one account and credits another: always balanced
  journal_id bigint generated always as identity primary key,
  owner_id   text not null references makegood.wallet,
  seq        bigint not null check (seq > 0),
  kind       text not null check (kind in ('issue', 'hold', 'capture', 'release', 'expire')),
  bucket_id  bigint not null references makegood.bucket,
  job_id     uuid,
  amount     bigint not null check (amount > 0),
  actor      text not null,
  at         timestamptz not null default makegood.now(),
  unique (owner_id, seq),
  check (job_id is not null or kind in ('issue', 'expire'))
);
create unique index journal_settles_once on makegood.journal (job_id, bucket_id, kind)
  where job_id is not null;
create index journal_bucket on makegood.journal (bucket_id);

create trigger append_only before update or delete on makegood.journal
  for each row execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.journal
  for each statement execute function makegood.forbid();
create trigger no_delete before delete on makegood.bucket
  for each row execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.bucket
  for each statement execute function makegood.forbid();

create view makegood.posting as  -- the journal in the classic form: two lines an entry
select journal_id, owner_id, at, job_id, account, debit, credit
from makegood.journal
cross join lateral (values
  (case kind when 'issue' then 'world'
             when 'hold' then 'bucket:' || bucket_id
             when 'expire' then 'bucket:' || bucket_id
             else 'hold:' || job_id || ':' || bucket_id end, amount, 0::bigint),
  (case kind when 'issue' then 'bucket:' || bucket_id
             when 'hold' then 'hold:' || job_id || ':' || bucket_id
             when 'release' then 'bucket:' || bucket_id
             when 'capture' then 'earned'
             else 'expired' end, 0::bigint, amount)
) as line (account, debit, credit);

-- Issue a bucket, once per (owner, source). Called by the ledger's grant.
create function makegood.grant_credits(
  p_owner text, p_kind text, p_amount bigint, p_source_ref text, p_priority integer,
  p_expires_at timestamptz, p_actor text
) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  new_bucket bigint;
begin
  if p_source_ref like 'grace:%' then
    raise exception 'sources that begin with "grace:" are for credits that come back after their expiry'
      using errcode = 'MG005';
  end if;
  insert into makegood.wallet (owner_id) values (p_owner) on conflict do nothing;
  perform 1 from makegood.wallet where owner_id = p_owner for no key update;
  insert into makegood.bucket (owner_id, kind, priority, expires_at, source_ref, issued, remaining)
    values (p_owner, p_kind, p_priority, p_expires_at, p_source_ref, p_amount, p_amount)
    on conflict (owner_id, source_ref) do nothing
    returning bucket_id into new_bucket;
  if new_bucket is null then
    return false;
  end if;
  update makegood.wallet set seq = seq + 1 where owner_id = p_owner;
  insert into makegood.journal (owner_id, seq, kind, bucket_id, amount, actor)
    select owner_id, seq, 'issue', new_bucket, p_amount, p_actor
    from makegood.wallet where owner_id = p_owner;
  return true;
end $$;

-- Take what remains out of buckets past their expiry; what is held stays held. Called by a loop.
create function makegood.expire_credits(p_limit integer) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  moment timestamptz := makegood.now();
  owners text[];
  n integer;
begin
  select array_agg(distinct owner_id order by owner_id) into owners from (
    select owner_id from makegood.bucket
    where remaining > 0 and expires_at is not null and expires_at <= moment
    order by expires_at limit p_limit) due;
  perform 1 from makegood.wallet where owner_id = any(owners) order by owner_id for no key update;
  with due as materialized (
    select bucket_id, owner_id, remaining,
           row_number() over (partition by owner_id order by bucket_id) as n
    from makegood.bucket
    where owner_id = any(owners) and remaining > 0
      and expires_at is not null and expires_at <= moment
  ), taken as (
    update makegood.bucket b set remaining = 0, expired = b.expired + b.remaining
    from due where b.bucket_id = due.bucket_id
  ), written as (
    insert into makegood.journal (owner_id, seq, kind, bucket_id, amount, actor)
    select due.owner_id, w.seq + due.n, 'expire', due.bucket_id, due.remaining, 'expiry'
    from due join makegood.wallet w using (owner_id)
  ), counted as (
    update makegood.wallet w set seq = w.seq + c.n
    from (select owner_id, count(*) as n from due group by owner_id) c
    where w.owner_id = c.owner_id
  )
  select count(*) into n from due;
  return n;
end $$;
