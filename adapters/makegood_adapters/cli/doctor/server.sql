-- Return as whom this connection is logged in and what the server allows. Called by the doctor.
select current_user as name, current_setting('server_version') as version,
       current_setting('server_version_num')::int as number,
       current_setting('max_connections')::int as connections_max,
       extract(epoch from clock_timestamp())::float8 as clock,
       to_regclass('makegood.migration') is not null as there
