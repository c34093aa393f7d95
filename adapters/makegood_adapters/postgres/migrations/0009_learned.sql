-- What is learned of job types from the attempts that ended, so that asking and promising can be fitted to it.

create table makegood.learned (
  type        text primary key,
  run_seconds double precision not null check (run_seconds >= 0),  -- median of accepted to closed, of successes
  samples     integer not null check (samples > 0),
  learned_at  timestamptz not null default makegood.now()
);
