-- Uploads: which owner has brought which file, so that nobody uses a file of somebody else, and how much in a day.

create table makegood.upload (
  owner_id   text not null check (owner_id <> ''),
  key        text not null check (key <> ''),
  kind       text not null,
  size       bigint not null check (size >= 0),
  counted    bigint not null check (counted between 0 and size),  -- 0: it was ours before, as a result is
  brought_at timestamptz not null default makegood.now(),
  primary key (owner_id, key)
);
create index upload_day on makegood.upload (owner_id, brought_at) include (counted);
create index upload_age on makegood.upload (brought_at);

create table makegood.upload_name (  -- the file that stands under a name of the owner's
  owner_id text not null,
  name     text not null check (name <> ''),
  key      text not null,
  named_at timestamptz not null default makegood.now(),
  primary key (owner_id, name),
  foreign key (owner_id, key) references makegood.upload on delete cascade
);
create index upload_name_key on makegood.upload_name (owner_id, key);

create table makegood.uploading (  -- files that are about to come; a process that dies leaves its rows for a day
  id       uuid primary key,
  owner_id text not null check (owner_id <> ''),
  size     bigint not null check (size >= 0),
  begun_at timestamptz not null default makegood.now()
);
create index uploading_owner on makegood.uploading (owner_id, begun_at);
create index uploading_age on makegood.uploading (begun_at);

-- Set p_size bytes aside unless the owner would then have brought more than p_day_max within p_day_seconds. Return
-- null, or in how many seconds the oldest that counts is older. Called by Uploads.begin.
create function makegood.begin_upload(
  p_id uuid, p_owner text, p_size bigint, p_day_max bigint, p_day_seconds double precision
) returns double precision
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  since timestamptz := makegood.now() - make_interval(secs => p_day_seconds);
  total numeric;
  oldest timestamptz;
begin
  -- Two at once would each see the room that only one of them has. What follows sees what the first has committed.
  perform pg_advisory_xact_lock(hashtextextended('makegood.upload ' || p_owner, 0));
  select coalesce(sum(bytes), 0), min(at) into total, oldest from (
    select counted, brought_at from makegood.upload
      where owner_id = p_owner and brought_at > since and counted > 0
    union all
    select size, begun_at from makegood.uploading where owner_id = p_owner and begun_at > since and id <> p_id
  ) as brought (bytes, at);
  if total + p_size > p_day_max then
    return greatest(coalesce(extract(epoch from oldest - since), 1), 1);
  end if;
  insert into makegood.uploading (id, owner_id, size) values (p_id, p_owner, p_size) on conflict do nothing;
  return null;
end $$;

-- Forget an upload of which nothing is kept. Called by Uploads.drop.
create function makegood.drop_upload(p_id uuid) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  delete from makegood.uploading where id = p_id
$$;

-- Note that the owner may use the file, in place of the upload p_id; without one its bytes do not count. Called by
-- Uploads.keep.
create function makegood.keep_upload(p_owner text, p_key text, p_kind text, p_size bigint, p_id uuid)
returns makegood.upload
language sql set search_path = pg_catalog, pg_temp as $$
  delete from makegood.uploading where id = p_id;
  insert into makegood.upload as u (owner_id, key, kind, size, counted)
  values (p_owner, p_key, p_kind, p_size, case when p_id is null then 0 else p_size end)
  on conflict (owner_id, key) do update set kind = excluded.kind, size = excluded.size,
    counted = greatest(u.counted, excluded.counted), brought_at = makegood.now()
  returning u
$$;

-- Let the name stand for the file; return whether it does. One that stands for another file is only taken over with
-- p_replace. Called by Uploads.keep.
create function makegood.name_upload(p_owner text, p_name text, p_key text, p_replace boolean) returns boolean
language sql set search_path = pg_catalog, pg_temp as $$
  with named as (
    insert into makegood.upload_name as n (owner_id, name, key) values (p_owner, p_name, p_key)
    on conflict (owner_id, name) do update set key = excluded.key, named_at = makegood.now()
      where p_replace or n.key = excluded.key
    returning 1
  )
  select exists (select from named)
$$;

-- Forget at most p_limit files that were brought last so long ago, with their names, and uploads that have begun a day
-- ago; return how many. Called by Uploads.forget.
create function makegood.forget_uploads(
  p_older_seconds double precision, p_day_seconds double precision, p_limit integer
) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
  with old as (
    select owner_id, key from makegood.upload
    where brought_at <= makegood.now() - make_interval(secs => p_older_seconds)
    order by brought_at limit p_limit for update skip locked
  ), forgotten as (
    delete from makegood.upload u using old where u.owner_id = old.owner_id and u.key = old.key returning 1
  ), left_over as (
    select id from makegood.uploading
    where begun_at <= makegood.now() - make_interval(secs => p_day_seconds)
    order by begun_at limit p_limit for update skip locked
  ), dropped as (
    delete from makegood.uploading u using left_over where u.id = left_over.id returning 1
  )
  select (select count(*) from forgotten) + (select count(*) from dropped)
$$;
