-- Close the schema makegood to the roles of Supabase's Data API. Run it as the owner of the schema, in the SQL
-- editor or with psql, after the first `makegood migrate` and after each later one; it may be run again.

revoke all on schema makegood from public, anon, authenticated, service_role;
revoke all on all tables in schema makegood from public, anon, authenticated, service_role;
revoke all on all sequences in schema makegood from public, anon, authenticated, service_role;
revoke all on all routines in schema makegood from public, anon, authenticated, service_role;

-- What was once granted in advance, as the steps for exposing a schema have it.
alter default privileges in schema makegood revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema makegood revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema makegood revoke all on routines from anon, authenticated, service_role;
