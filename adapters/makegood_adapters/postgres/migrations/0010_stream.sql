-- History as one stream: each transition gets a place in it after its commit, so that whoever reads on loses none.

create table makegood.stream (  -- one row: the place that was given last
  one   boolean primary key default true check (one),
  place bigint not null default 0
);
insert into makegood.stream default values;
