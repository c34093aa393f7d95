-- As what the outside sees each state, for programs that know no job type.
--
-- It is told and no rule: it is no part of the digest, and may change within a version like a deadline. A machine
-- of before has none until an engine starts with its job type again.

alter table makegood.machine_state
  add column public_status text check (public_status in
    ('pending', 'queued', 'starting', 'running', 'completed', 'failed', 'cancelled'));
comment on column makegood.machine_state.public_status is
  'As which of the seven states the outside sees it; null: not told; may change within a version';
comment on column makegood.machine_state.deadline_seconds is 'How long a job may stay; may change within a version';

create or replace function makegood.machine_state_fixed() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if (new.type, new.version, new.name, new.is_initial, new.is_terminal, new.is_slot, new.is_waiting,
      new.holding)
     is distinct from
     (old.type, old.version, old.name, old.is_initial, old.is_terminal, old.is_slot, old.is_waiting,
      old.holding)
  then
    raise exception 'only the deadline and the public status of state % of %@% may change',
                    old.name, old.type, old.version using errcode = 'MG005';
  end if;
  return new;
end $$;

-- The rights of before and one more: a view cannot be added to but by its own text.
do $$
begin
  execute format('create or replace view makegood.kind_right as %s union all select %L, %L, %L',
                 rtrim(pg_get_viewdef('makegood.kind_right'::regclass), '; '), 'worker',
                 'insert (public_status), update (public_status)', 'table makegood.machine_state');
end $$;
