-- Endpoints: whose addresses are told of transitions by signed webhooks, and what became of each message.
--
-- Nothing of this is part of a transition: one step reads on in the stream and makes a delivery for each endpoint
-- that wants a place of it, once, by primary key. Locks are taken in the order endpoint, delivery.

create table makegood.endpoint (
  endpoint_id   uuid primary key,
  owner_id      text check (owner_id <> ''),         -- of whose jobs it hears; null: everybody's
  url           text not null check (url <> ''),     -- may hold a token of the receiver's: read by workers alone
  states        text[] not null default '{}',        -- into which of them; none: all
  types         text[] not null default '{}',        -- of jobs of which types; none: all
  description   text not null default '',
  after         bigint not null,                     -- it hears of later places
  secret        text not null check (secret <> ''),  -- signs; kept as it is, and read by workers alone
  old_secret    text,                                -- signs too, until then
  old_until     timestamptz,
  created_at    timestamptz not null default makegood.now(),
  disabled_at   timestamptz,
  disabled_why  text,
  failing_since timestamptz,                         -- the first failure since a success
  check ((disabled_at is null) = (disabled_why is null)),
  check ((old_secret is null) = (old_until is null))
);
create index endpoint_owner on makegood.endpoint (owner_id);

create table makegood.delivery (
  endpoint_id  uuid not null references makegood.endpoint on delete cascade,
  seq          bigint not null,                      -- place in the stream
  job_id       uuid not null,
  version      integer not null,
  tries        integer not null default 0,           -- since it was made or sent again
  epoch        integer not null default 0,           -- grows whenever it is taken or sent again
  due_at       timestamptz,                          -- of the next try, or the end of the lease; null: it is over
  leased       boolean not null default false,       -- whether a try is under way
  delivered_at timestamptz,
  failed_at    timestamptz,
  created_at   timestamptz not null default makegood.now(),
  primary key (endpoint_id, seq),
  check (not leased or due_at is not null),
  check (due_at is not null or delivered_at is not null or failed_at is not null)
);
create index delivery_due on makegood.delivery (endpoint_id, due_at) where due_at is not null;
create index delivery_leased on makegood.delivery (endpoint_id, due_at) where leased;
create index delivery_failed on makegood.delivery (endpoint_id, seq) where due_at is null and delivered_at is null;
create index delivery_age on makegood.delivery (created_at) where due_at is null;

create table makegood.delivery_try (                 -- the log; of each delivery the last lines are kept
  try_id      bigint generated always as identity primary key,
  endpoint_id uuid not null,
  seq         bigint not null,
  at          timestamptz not null default makegood.now(),
  status      integer,                               -- null: no answer came
  problem     text,
  body        text not null default '',
  seconds     double precision not null,
  foreign key (endpoint_id, seq) references makegood.delivery on delete cascade
);
create index delivery_try_of on makegood.delivery_try (endpoint_id, seq, try_id);

create table makegood.fan_out (                      -- one row: how far the stream was read
  one     boolean primary key default true check (one),
  reached bigint not null default 0
) with (fillfactor = 10);
insert into makegood.fan_out default values;

-- Read on in the stream and make what endpoints want of it, one caller at a time; nothing while another does it.
-- Where nobody listens, all that has a place by now is passed over: in one statement, so that an endpoint which
-- comes meanwhile misses nothing. So many places are read that about p_made_max deliveries are made of them at most.
-- Called by Deliveries.fan_out.
create function makegood.make_deliveries(p_limit integer, p_made_max integer default 20000)
returns table (places bigint, deliveries bigint, listeners boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  start bigint;
begin
  select f.reached into start from makegood.fan_out f for no key update skip locked;
  if not found then
    return query select 0::bigint, 0::bigint, true;
    return;
  end if;
  return query
  with heard as materialized (
    select count(*) > 0 as any_one, count(*) filter (where e.owner_id is null) as of_all
    from makegood.endpoint e where e.disabled_at is null
  ), part as materialized (
    select p.place, p.job_id, p.version, p.owner_id from makegood.placed p, heard
    where heard.any_one and p.place > start
    order by p.place limit (select greatest(1, least(p_limit, p_made_max / greatest(1, h.of_all))) from heard h)
  ), made as (
    insert into makegood.delivery (endpoint_id, seq, job_id, version, due_at)
    select e.endpoint_id, p.place, p.job_id, p.version, makegood.now()
    from part p
    join makegood.history h on h.job_id = p.job_id and h.version = p.version
    cross join lateral (
      select x.* from makegood.endpoint x where x.owner_id = p.owner_id
      union all
      select x.* from makegood.endpoint x where x.owner_id is null) e
    where e.disabled_at is null and p.place > e.after
      and not (h.version = 0 and h.event = 'import')  -- it ended elsewhere, perhaps years ago
      and (e.states = '{}' or h.to_state = any(e.states)) and (e.types = '{}' or h.type = any(e.types))
    order by p.place, e.endpoint_id
    on conflict do nothing
    returning 1
  ), reached as (
    select case when heard.any_one then coalesce((select max(p.place) from part p), start) else s.place end as place
    from heard, makegood.stream s
  ), moved as (
    update makegood.fan_out f set reached = r.place from reached r where f.reached < r.place
  )
  select (select count(*) from part), (select count(*) from made), heard.any_one from heard;
end $$;

-- Lease what is due, of the endpoints first to which the fewest tries are under way. Called by Deliveries.take.
create function makegood.take_deliveries(p_limit integer, p_most integer, p_lease_seconds double precision)
returns table (
  to_endpoint uuid, to_url text, signs text, signs_too text, try integer, try_epoch integer, place bigint,
  of_job uuid, of_version integer
)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return query
  with recursive pending as (  -- each endpoint once, by leaps through the index
    (select d.endpoint_id from makegood.delivery d where d.due_at is not null order by d.endpoint_id limit 1)
    union all
    select (select d.endpoint_id from makegood.delivery d
            where d.due_at is not null and d.endpoint_id > p.endpoint_id order by d.endpoint_id limit 1)
    from pending p where p.endpoint_id is not null
  ), candidates as materialized (  -- as many as there is room: of each of them one is taken first
    select e.endpoint_id, u.n, case when e.failing_since is null then p_most else 1 end as most
    from pending p
    join makegood.endpoint e on e.endpoint_id = p.endpoint_id and e.disabled_at is null
    cross join lateral (select count(*) as n from makegood.delivery l
                        where l.endpoint_id = e.endpoint_id and l.leased and l.due_at > makegood.now()) u
    cross join lateral (select min(x.due_at) as at from makegood.delivery x
                        where x.endpoint_id = e.endpoint_id and x.due_at <= makegood.now()) d
    where d.at is not null and u.n < case when e.failing_since is null then p_most else 1 end
    order by u.n, d.at limit p_limit
  ), listed as materialized (  -- locked, so that two who take at once do not take too many to one
    select e.* from makegood.endpoint e
    where e.endpoint_id in (select c.endpoint_id from candidates c) and e.disabled_at is null
    for no key update of e skip locked
  ), free as (
    select c.endpoint_id, d.seq, d.due_at, c.most,
           c.n + row_number() over (partition by c.endpoint_id order by d.due_at, d.seq) as turn
    from candidates c
    join listed e on e.endpoint_id = c.endpoint_id
    cross join lateral (select x.seq, x.due_at from makegood.delivery x
                        where x.endpoint_id = c.endpoint_id and x.due_at <= makegood.now()
                        order by x.due_at, x.seq limit p_most) d
  ), chosen as (
    select f.endpoint_id, f.seq from free f where f.turn <= f.most order by f.turn, f.due_at limit p_limit
  ), taken as (
    update makegood.delivery d
    set leased = true, due_at = makegood.now() + make_interval(secs => p_lease_seconds),
        tries = d.tries + 1, epoch = d.epoch + 1
    from chosen c where d.endpoint_id = c.endpoint_id and d.seq = c.seq
    returning d.*
  )
  select t.endpoint_id, e.url, e.secret, case when e.old_until > makegood.now() then e.old_secret end,
         t.tries, t.epoch, t.seq, t.job_id, t.version
  from taken t join listed e on e.endpoint_id = t.endpoint_id;
end $$;

-- Keep what came of a try of a delivery that is still the caller's, and tell whether it was. Called by
-- Deliveries.ended.
create function makegood.end_try(
  p_endpoint uuid, p_seq bigint, p_epoch integer, p_status integer, p_problem text, p_body text,
  p_seconds double precision, p_delivered boolean, p_again_seconds double precision, p_kept integer
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform 1 from makegood.endpoint where endpoint_id = p_endpoint for no key update;
  update makegood.delivery d
  set leased = false,
      due_at = case when not p_delivered then makegood.now() + make_interval(secs => p_again_seconds) end,
      delivered_at = case when p_delivered then makegood.now() end,
      failed_at = case when not p_delivered and p_again_seconds is null then makegood.now() end
  where d.endpoint_id = p_endpoint and d.seq = p_seq and d.epoch = p_epoch and d.leased;
  if not found then
    return false;
  end if;
  update makegood.endpoint
  set failing_since = case when not p_delivered then coalesce(failing_since, makegood.now()) end
  where endpoint_id = p_endpoint and p_delivered = (failing_since is not null);
  insert into makegood.delivery_try (endpoint_id, seq, status, problem, body, seconds)
  values (p_endpoint, p_seq, p_status, p_problem, p_body, p_seconds);
  delete from makegood.delivery_try t where t.endpoint_id = p_endpoint and t.seq = p_seq and t.try_id <= (
    select x.try_id from makegood.delivery_try x where x.endpoint_id = p_endpoint and x.seq = p_seq
    order by x.try_id desc offset p_kept limit 1);
  return true;
end $$;

-- Let an endpoint hear nothing more, and end what is on its way to it; false: there is none, it is disabled, or it
-- does not fail since then. Called by Endpoints.disable.
create function makegood.disable_endpoint(p_endpoint uuid, p_why text, p_failing_since timestamptz) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update makegood.endpoint set disabled_at = makegood.now(), disabled_why = p_why
  where endpoint_id = p_endpoint and disabled_at is null
    and (p_failing_since is null or failing_since = p_failing_since);
  if not found then
    return false;
  end if;
  update makegood.delivery set due_at = null, leased = false, failed_at = makegood.now()
  where endpoint_id = p_endpoint and due_at is not null;
  return true;
end $$;

-- Forget an endpoint with its log; false: there is none. Called by Endpoints.remove.
create function makegood.remove_endpoint(p_endpoint uuid) returns boolean
language sql security definer set search_path = pg_catalog, pg_temp as $$
  with gone as (delete from makegood.endpoint where endpoint_id = p_endpoint returning 1)
  select exists (select 1 from gone)
$$;

-- Delete deliveries that are over and were made so long ago, and return how many. Called by Deliveries.forget.
create function makegood.forget_deliveries(p_seconds double precision, p_limit integer) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp as $$
  with old as (
    select endpoint_id, seq from makegood.delivery
    where due_at is null and created_at <= makegood.now() - make_interval(secs => p_seconds)
    order by created_at limit p_limit for update skip locked
  ), gone as (
    delete from makegood.delivery d using old o where d.endpoint_id = o.endpoint_id and d.seq = o.seq returning 1
  )
  select count(*) from gone
$$;
