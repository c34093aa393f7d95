-- Let the referee see what is prepared. Called before jobs are inserted for pgbench.
do $$
declare
  one regclass;
begin
  for one in select oid from pg_class where relnamespace = 'makegood'::regnamespace and relkind = 'r' loop
    execute format('alter table %s enable trigger user', one);
  end loop;
end $$
