-- Acts: what operators did over the API, also what was refused, each written once it was done.
--
-- What an act changed tells of it too: the history of a job names who ended it, a rule who set it. This table has
-- them all, in one order, and those that changed nothing.

create table makegood.act (
  act_id    bigint generated always as identity primary key,
  at        timestamptz not null default makegood.now(),
  key       text not null check (key <> ''),      -- who called, as histories name it
  signed_by text check (signed_by <> ''),         -- the person, as far as that was said
  act       text not null check (act <> ''),      -- the name of the operation
  subject   text not null,                        -- to what it was done
  reason    text,
  outcome   text not null check (outcome <> '')   -- ok, or the code of the problem
);

create trigger append_only before update or delete on makegood.act
  for each row execute function makegood.forbid();
create trigger no_truncate before truncate on makegood.act
  for each statement execute function makegood.forbid();

comment on table makegood.act is 'What operators did over the API, also what was refused; append-only';
comment on column makegood.act.act_id is 'Its number';
comment on column makegood.act.key is 'Who called, as histories name it';
comment on column makegood.act.signed_by is 'The person, as far as that was said; null: nobody';
comment on column makegood.act.act is 'The name of the operation';
comment on column makegood.act.subject is 'To what it was done';
comment on column makegood.act.outcome is '`ok`, or the code of the problem';
