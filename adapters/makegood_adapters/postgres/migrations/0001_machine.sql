-- The declared machines as rows: what is legal, what it does to credits, what must be known first.
--
-- The way of a job through the tables: a row in `job` is inserted in its initial state. Every later
-- UPDATE of `state`, by whatever program, passes the trigger `job_before` (is there such an edge, is
-- its evidence there, which deadline follows) and then `job_after`, which moves the credits, writes
-- `history` and `outbox`, and frees or drains the slot. Machine rows never change within a version.

create function makegood.now() returns timestamptz
language sql stable parallel safe
as $$ select pg_catalog.clock_timestamp() $$;
comment on function makegood.now() is
  'The only source of time. The owner of a test database may replace it; nobody else can.';

create table makegood.machine (
  type       text not null check (type <> ''),
  version    integer not null check (version > 0),
  digest     text not null,
  created_at timestamptz not null default makegood.now(),
  sealed     boolean not null default false,  -- set at COMMIT: from then on nothing is added to it
  primary key (type, version)
);

create table makegood.machine_state (
  type             text not null,
  version          integer not null,
  name             text not null check (name <> ''),
  is_initial       boolean not null,
  is_terminal      boolean not null,
  is_slot          boolean not null,
  is_waiting       boolean not null,
  holding          text not null check (holding in ('none', 'held', 'settled', 'over')),
  deadline_seconds double precision check (deadline_seconds > 0),
  place            integer not null,
  deadline_event   text,                             -- the edge that a job takes when it stays too long
  primary key (type, version, name),
  foreign key (type, version) references makegood.machine,
  check (is_terminal = (holding = 'over')),
  check (is_terminal or deadline_seconds is not null)
);

create table makegood.machine_edge (
  type            text not null,
  version         integer not null,
  event           text not null check (event <> ''),
  from_state      text not null,
  to_state        text not null,
  place           integer not null,
  money           text not null check (money in ('none', 'hold', 'capture', 'release', 'policy')),
  opens_attempt   boolean not null,
  verdicts        text[],
  evidence_always boolean not null,
  primary key (type, version, event, from_state),
  foreign key (type, version, from_state) references makegood.machine_state,
  foreign key (type, version, to_state) references makegood.machine_state
);
create index machine_edge_ends on makegood.machine_edge (type, version, from_state, to_state);

create function makegood.forbid() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '% of makegood.% is forbidden: its rows are permanent', lower(tg_op), tg_table_name
    using errcode = 'MG005';
end $$;

create trigger permanent before delete on makegood.machine
  for each row execute function makegood.forbid();
create trigger unchanged before update on makegood.machine for each row
  when (old.sealed or (old.type, old.version, old.digest, old.created_at)
                      is distinct from (new.type, new.version, new.digest, new.created_at))
  execute function makegood.forbid();
create trigger permanent before delete on makegood.machine_state
  for each row execute function makegood.forbid();
create trigger permanent before update or delete on makegood.machine_edge
  for each row execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.machine_edge
  for each statement execute function makegood.forbid();

create function makegood.machine_state_fixed() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if (new.type, new.version, new.name, new.is_initial, new.is_terminal, new.is_slot, new.is_waiting,
      new.holding)
     is distinct from
     (old.type, old.version, old.name, old.is_initial, old.is_terminal, old.is_slot, old.is_waiting,
      old.holding)
  then
    raise exception 'only the deadline of state % of %@% may change', old.name, old.type, old.version
      using errcode = 'MG005';
  end if;
  return new;
end $$;
create trigger only_deadlines before update on makegood.machine_state
  for each row execute function makegood.machine_state_fixed();

-- States and edges come in the transaction that declares their machine, or never: else a new edge could
-- lead jobs past what was declared.
create function makegood.machine_part() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select 1 from makegood.machine m
             where m.type = new.type and m.version = new.version and m.sealed) then
    raise exception '%@% is declared already: what is legal may change in another version only',
                    new.type, new.version using errcode = 'MG005';
  end if;
  return new;
end $$;
create trigger with_its_machine before insert on makegood.machine_state
  for each row execute function makegood.machine_part();
create trigger with_its_machine before insert on makegood.machine_edge
  for each row execute function makegood.machine_part();

-- Whoever declares it: an edge takes the credits from where its first state has them to where its second
-- one has, no machine keeps the credits of a failed job, and what leaves a slot says what must be known.
create function makegood.edge_fits() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  here makegood.machine_state;
  there makegood.machine_state;
begin
  select * into here from makegood.machine_state
    where type = new.type and version = new.version and name = new.from_state;
  select * into there from makegood.machine_state
    where type = new.type and version = new.version and name = new.to_state;
  if not found then
    return new;  -- the foreign key says so
  end if;
  if here.is_terminal or not (case new.money
       when 'none' then here.holding = there.holding
                        or (here.holding in ('none', 'settled') and there.holding = 'over')
       when 'hold' then here.holding = 'none' and there.holding = 'held'
       else here.holding = 'held' and there.holding in ('settled', 'over') end)
     or (there.name = 'failed' and new.money in ('capture', 'policy')) then
    raise exception 'edge % of %@% would lose credits: from % (%) to % (%) with money %', new.event, new.type,
                    new.version, here.name, here.holding, there.name, there.holding, new.money
      using errcode = 'MG005';
  end if;
  if here.is_slot and coalesce(cardinality(new.verdicts), 0) = 0 then
    raise exception 'edge % of %@% leaves a slot: it must name the verdicts that allow it',
                    new.event, new.type, new.version using errcode = 'MG005';
  end if;
  return new;
end $$;
create trigger fits before insert on makegood.machine_edge
  for each row execute function makegood.edge_fits();

create function makegood.machine_seals() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update makegood.machine set sealed = true where type = new.type and version = new.version;
  return null;
end $$;
create constraint trigger seals after insert on makegood.machine
  deferrable initially deferred for each row execute function makegood.machine_seals();
