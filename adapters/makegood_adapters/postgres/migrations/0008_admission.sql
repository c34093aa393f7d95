-- Who goes next: the order of the queue, and what keeps a job from going although there is a slot.

-- Each priority of a pool is a lane of its own. Its virtual time is the start tag of the job that left it last.
create table makegood.lane (
  pool         text not null,
  priority     integer not null,
  virtual_time double precision not null default 0,
  primary key (pool, priority)
) with (fillfactor = 50);
