-- Jobs, their attempts at a provider, what is known about them, and what happened to them.

create table makegood.provider_account (
  name             text primary key check (name <> ''),
  pool             text not null check (pool <> ''),
  configured       integer check (configured >= 0),      -- null: what the provider tells
  told             integer check (told >= 0),
  learned          integer check (learned > 0),          -- from refusals; null: nothing
  capacity         integer not null,                     -- what follows, and since when: written by the trigger
  capacity_since   timestamptz not null default makegood.now(),
  exclusive        boolean not null default false,       -- its submissions are made one at a time
  draining_seconds double precision not null default 7200 check (draining_seconds > 0),
  grow_seconds     double precision not null default 30 check (grow_seconds > 0),
  learned_at       timestamptz,
  rests_until      timestamptz,
  rested_at        timestamptz,                          -- when the last rest began
  rests            integer not null default 0,           -- in a row, as are the next and `unfits`
  refusals         integer not null default 0,           -- of those, because of the account itself
  problem          text,                                 -- why it is unfit; null: it is fit
  problem_since    timestamptz,
  unfits           integer not null default 0,
  next_survey_at   timestamptz not null default makegood.now(),  -- long ago: no worker has this account
  in_use           integer,                              -- tasks, as the provider counts them
  told_at          timestamptz,
  differs_since    timestamptz,                          -- since when that is not what we count
  others           integer not null default 0,           -- of its tasks, those that are not ours, and how
  others_until     timestamptz,                          -- long that is taken for true
  fewer_since      timestamptz,                          -- since when it counts fewer tasks than we do
  fewer_asked      boolean not null default false,       -- and all of ours were asked about
  failures         integer not null default 0,           -- surveys in a row without an answer
  last_error       text,
  check ((problem is null) = (problem_since is null))
);
create index provider_account_pool on makegood.provider_account (pool, name);

create table makegood.job (
  job_id              uuid primary key,
  owner_id            text not null check (owner_id <> ''),
  type                text not null,
  type_version        integer not null,
  pool                text not null,
  state               text not null,
  previous_state      text,                        -- written by the trigger, as are the next four
  version             integer not null default 0,
  moved               boolean not null default true,   -- the last write changed the state
  money               text not null default 'none',    -- what that change does to the credits
  waiting             boolean not null default false,
  slot                boolean not null default false,
  event               text not null default 'submit',
  actor               text not null,
  reason              text,
  operation_id        uuid not null default gen_random_uuid(),
  price               bigint not null check (price >= 0),
  settled             bigint check (settled between 0 and price),
  input               jsonb not null,
  input_digest        text not null default '',
  request             jsonb not null,
  files               jsonb not null default '{}',
  key                 text,
  priority            integer not null default 0,
  start_tag           double precision not null default 0,  -- its place in its lane, see 0008_admission
  parked              text not null default 'no' check (parked in ('no', 'time', 'owner', 'type')),
  attempt             integer not null default 0,
  attempts_max        integer not null check (attempts_max > 0),
  reruns              integer not null default 0,
  intent_attempt      integer,
  created_at          timestamptz not null default makegood.now(),
  entered_at          timestamptz not null default makegood.now(),
  queued_at           timestamptz,
  queue_deadline_at   timestamptz,
  deadline_at         timestamptz,
  not_before          timestamptz,
  cancel_requested_at timestamptz,
  finished_at         timestamptz,
  watched_until       timestamptz,                     -- the watchdog comes back not before
  progress_at         timestamptz,                     -- when its files were last seen on their way
  output              jsonb,
  error               jsonb,
  data                jsonb,                       -- what the present state carries
  retry_of            uuid references makegood.job,
  exclusive_scope     text check (exclusive_scope <> ''),  -- its owner has one such job at a time
  draft               boolean not null default false,  -- its input is not complete: it can be neither priced nor queued
  session             text check (session <> ''),      -- the page that has sent it, which may take it back
  metadata            jsonb not null default '{}',     -- what a host keeps beside it; it decides nothing
  unique (owner_id, key),
  check (intent_attempt <= attempt),
  check (not (draft and (waiting or slot)))
) with (fillfactor = 70);
create index job_waiting on makegood.job (pool, parked, priority desc, start_tag, queued_at, job_id) where waiting;
create index job_to_cancel on makegood.job (job_id) where waiting and cancel_requested_at is not null;
create unique index job_exclusive on makegood.job (owner_id, exclusive_scope)
  where exclusive_scope is not null and finished_at is null;
create index job_draft on makegood.job (owner_id) where draft and finished_at is null;
create index job_session on makegood.job (session) where session is not null and finished_at is null;
create index job_owner on makegood.job (owner_id, created_at, job_id);
create index job_created on makegood.job (created_at, job_id);
create index job_ended on makegood.job (type, state, finished_at) where finished_at is not null;
create index job_key_found on makegood.job (key) where key is not null;  -- a person knows no owner of a key
create index job_deadline on makegood.job (deadline_at) where deadline_at is not null;

create table makegood.imported (  -- jobs that were over elsewhere before they were here; see 0016_import
  job_id uuid primary key,
  at     timestamptz not null default makegood.now()
);

create table makegood.attempt (
  job_id         uuid not null references makegood.job,
  number         integer not null check (number > 0),
  account        text not null references makegood.provider_account,
  phase          text not null default 'opened'
    check (phase in ('opened', 'submitting', 'accepted', 'uncertain', 'closed')),
  epoch          integer not null default 0,
  lease_until    timestamptz,
  token_hash     bytea unique,
  task_id        text,
  ran            boolean not null default false,
  asked          integer not null default 0,
  opened_at      timestamptz not null default makegood.now(),
  intent_at      timestamptz,
  accepted_at    timestamptz,
  closed_at      timestamptz,
  verdict        text,
  outputs        jsonb not null default '[]',
  next_ask_at    timestamptz,
  next_fetch_at  timestamptz,
  cancel_sent_at timestamptz,
  cancel_answered boolean not null default false,
  cancel_late    boolean not null default false,
  draining_until timestamptz,
  counted_at      timestamptz,                   -- when the last clean count began that may prove it has no task
  counted_late_at timestamptz,                   -- the first one after the slowest create call
  count_void      boolean not null default false, -- a count was not clean, or came too late: it proves nothing
  primary key (job_id, number),
  unique (account, task_id),
  check ((phase = 'closed') = (closed_at is not null)),
  check (phase <> 'accepted' or task_id is not null),
  check (phase not in ('submitting', 'uncertain') or intent_at is not null)
) with (fillfactor = 70);
create index attempt_open on makegood.attempt (account, next_ask_at) where closed_at is null;
create index attempt_task on makegood.attempt (task_id) where task_id is not null;
create index attempt_to_fetch on makegood.attempt (next_fetch_at) where next_fetch_at is not null;

create table makegood.evidence (
  evidence_id bigint generated always as identity primary key,
  job_id      uuid not null,
  attempt     integer not null,
  verdict     text not null check (verdict in ('accepted', 'rejected', 'succeeded', 'failed',
                                               'cancelled', 'absent', 'deadline', 'administrator',
                                               'resolved')),
  source      text not null,
  task_id     text,
  detail      jsonb not null default '{}',
  at          timestamptz not null default makegood.now(),
  unique (job_id, attempt, verdict),
  foreign key (job_id, attempt) references makegood.attempt
);

create index evidence_of_type on makegood.evidence ((detail ->> 'job_type'), evidence_id)
  where detail ->> 'job_type' is not null;
create index evidence_alarm on makegood.evidence (source, job_id, attempt)
  where source in ('draining deadline', 'late webhook');

create table makegood.hold (  -- one reservation per (job, bucket), settled at most once
  job_id    uuid not null,  -- no foreign keys, for the reason that `journal` has none
  bucket_id bigint not null,
  amount    bigint not null check (amount > 0),
  captured  bigint,
  released  bigint,
  primary key (job_id, bucket_id),
  check ((captured is null and released is null)
      or (captured >= 0 and released >= 0 and captured + released = amount))
);
create index hold_bucket on makegood.hold (bucket_id);

create table makegood.history (  -- written by job_after alone, and so is the outbox: no foreign keys
  job_id       uuid not null,
  version      integer not null,
  operation_id uuid not null unique,
  owner_id     text not null,
  type         text not null,
  event        text not null,
  from_state   text,
  to_state     text not null,
  actor        text not null,
  reason       text,
  attempt      integer not null,
  at           timestamptz not null default makegood.now(),
  primary key (job_id, version)
);

create table makegood.outbox (
  outbox_id    bigint generated always as identity primary key,
  job_id       uuid not null,
  version      integer not null,
  delivered    text[] not null default '{}',
  leased_until timestamptz,
  tries        integer not null default 0,
  done_at      timestamptz,
  unique (job_id, version)
);
create index outbox_open on makegood.outbox (outbox_id) where done_at is null;

create table makegood.placed (  -- the stream of all history; written by place_history alone
  place    bigint primary key,
  job_id   uuid not null,
  version  integer not null,
  owner_id text not null
);
create index placed_owner on makegood.placed (owner_id, place);

create table makegood.stream (  -- one row: how far places were given, see 0010_stream
  one      boolean primary key default true check (one),
  place    bigint not null default 0,            -- given last
  reached  bigint not null default 0,            -- the highest announcement that has one
  gaps     int8multirange not null default '{}', -- those below it that were not there
  old_gaps int8multirange not null default '{}', -- of these, the ones of transactions below the horizon
  horizon  xid8 not null default '0'
) with (fillfactor = 10);
insert into makegood.stream default values;

create table makegood.inbox (
  inbox_id    bigint generated always as identity primary key,
  job_id      uuid not null references makegood.job,
  attempt     integer not null,
  source      text not null,
  digest      bytea not null,
  body        text not null,
  task_id     text,
  copies      integer not null default 1,
  received_at timestamptz not null default makegood.now(),
  read_at     timestamptz,
  unique (job_id, attempt, source, digest)
);
create index inbox_unread on makegood.inbox (inbox_id) where read_at is null and source = 'webhook';

-- Who changes what is configured, told or learned of an account changes its slots.
create function makegood.account_capacity() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.capacity := least(coalesce(new.configured, new.told, 1), new.learned);
  if tg_op = 'UPDATE' then
    new.capacity_since := case when new.capacity = old.capacity then old.capacity_since else makegood.now() end;
  end if;
  return new;
end $$;
create trigger has_slots before insert or update on makegood.provider_account
  for each row execute function makegood.account_capacity();

-- A slot is an open attempt: one more is refused when the account is full, whoever inserts it.
create function makegood.attempt_opens() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  slots integer;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'attempts are opened in READ COMMITTED: another snapshot would miscount the slots'
      using errcode = 'MG004';
  end if;
  if new.phase <> 'opened' or new.closed_at is not null or not exists (
      select 1 from makegood.job j where j.job_id = new.job_id and j.waiting
        and new.number = j.attempt + 1) then
    raise exception 'attempt % of job %: only the next attempt of a job that waits may be opened',
                    new.number, new.job_id using errcode = 'MG003';
  end if;
  select capacity into slots from makegood.provider_account where name = new.account for update;
  if (select count(*) from makegood.attempt
      where account = new.account and closed_at is null) >= slots then
    raise exception 'all % slots of provider account % are taken', slots, new.account
      using errcode = 'MG004';
  end if;
  return new;
end $$;
create trigger takes_a_slot before insert on makegood.attempt
  for each row execute function makegood.attempt_opens();

-- Whoever takes a slot moves the job into it, in the same transaction.
create function makegood.attempt_belongs() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select 1 from makegood.job j
                 where j.job_id = new.job_id and j.attempt >= new.number) then
    raise exception 'attempt % was opened and job % did not follow', new.number, new.job_id
      using errcode = 'MG003';
  end if;
  return null;
end $$;
create constraint trigger belongs after insert on makegood.attempt
  deferrable initially deferred for each row execute function makegood.attempt_belongs();

-- What once was true of an attempt stays true: else a slot could be had twice, or a submission denied.
create function makegood.attempt_guard() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if (new.job_id, new.number, new.account, new.opened_at)
     is distinct from (old.job_id, old.number, old.account, old.opened_at)
     or (old.intent_at is not null
         and (new.intent_at, new.token_hash) is distinct from (old.intent_at, old.token_hash))
     or (old.task_id is not null and new.task_id is distinct from old.task_id)
     or (old.closed_at is not null
         and (new.closed_at, new.verdict) is distinct from (old.closed_at, old.verdict))
  then
    raise exception 'attempt % of job %: its account, submission, task and end are permanent',
                    old.number, old.job_id using errcode = 'MG005';
  end if;
  -- Judged by what the rows say, never by who calls from where: a trigger on somebody's own table may call.
  if (new.closed_at, new.verdict) is distinct from (old.closed_at, old.verdict) and not (
       new.closed_at is not null and exists (
         select 1 from makegood.evidence e where e.job_id = new.job_id and e.attempt = new.number
           and e.verdict = new.verdict
           and e.verdict in ('rejected', 'succeeded', 'failed', 'cancelled', 'absent'))
       or new.verdict is not distinct from old.verdict and exists (  -- its job has left the slot
         select 1 from makegood.job j where j.job_id = new.job_id and j.attempt = new.number and not j.slot
           and (new.intent_at is null or j.finished_at is null)))
     or new.draining_until is distinct from old.draining_until and not exists (
       select 1 from makegood.job j join makegood.provider_account p on p.name = new.account
       where j.job_id = new.job_id and j.attempt = new.number and new.intent_at is not null
         and new.draining_until = j.finished_at + make_interval(secs => p.draining_seconds))
  then
    raise exception 'attempt % of job % is over when evidence says so, and its slot is free then',
                    old.number, old.job_id using errcode = 'MG002';
  end if;
  return new;
end $$;
create trigger keeps_its_past
  before update of job_id, number, account, opened_at, intent_at, token_hash, task_id, closed_at, verdict,
    draining_until on makegood.attempt
  for each row execute function makegood.attempt_guard();

-- What a provider can only say of a task cannot be said of an attempt that was never submitted.
create function makegood.evidence_fits() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.verdict not in ('deadline', 'administrator') and not exists (
      select 1 from makegood.attempt a
      where a.job_id = new.job_id and a.number = new.attempt and a.intent_at is not null) then
    raise exception 'attempt % of job % was never submitted: the provider cannot have said "%"',
                    new.attempt, new.job_id, new.verdict using errcode = 'MG002';
  end if;
  return new;
end $$;
create trigger fits before insert on makegood.evidence
  for each row execute function makegood.evidence_fits();

create function makegood.hold_guard() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.captured is not null then
    raise exception 'the hold of job % on bucket % is settled already', old.job_id, old.bucket_id
      using errcode = 'MG005';
  end if;
  if (new.job_id, new.bucket_id, new.amount) is distinct from (old.job_id, old.bucket_id, old.amount)
  then
    raise exception 'a hold keeps its job, its bucket and its amount' using errcode = 'MG005';
  end if;
  return new;
end $$;
create trigger settled_once before update on makegood.hold
  for each row execute function makegood.hold_guard();

create trigger permanent before delete on makegood.hold
  for each row execute function makegood.forbid();
create trigger permanent before delete on makegood.job
  for each row execute function makegood.forbid();
create trigger permanent before delete on makegood.attempt
  for each row execute function makegood.forbid();
create trigger append_only before update or delete on makegood.evidence
  for each row execute function makegood.forbid();
create trigger append_only before update or delete on makegood.history
  for each row execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.job
  for each statement execute function makegood.forbid();
create trigger append_only before update or delete on makegood.imported
  for each row execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.imported
  for each statement execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.hold
  for each statement execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.evidence
  for each statement execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.history
  for each statement execute function makegood.forbid();
create trigger append_only before update or delete on makegood.placed
  for each row execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.placed
  for each statement execute function makegood.forbid();
create trigger permanent before delete on makegood.stream
  for each row execute function makegood.forbid();
