-- Jobs that were over in another system before they came here: they are shown, and move nothing.
--
-- Such a job is born in a final state, with the one step `import` in its history. Its credits were another ledger's:
-- it has no hold, and 0 of its price were captured here. What it cost there stands in its metadata. The mark in
-- `imported` is what makes it legal, for the referee and for the audit, and nobody but the owner can set it.

-- Insert jobs that are over, told as a JSON array, and return the ids of those that were not here before. Nobody is told
-- of them: their end is no news. Called by import_jobs of the adapter, as the owner of the schema.
create function makegood.import_jobs(p_jobs jsonb) returns setof uuid
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  new uuid[];
begin
  with marked as (
    insert into makegood.imported (job_id)
    select g.job_id from jsonb_to_recordset(p_jobs) as g (job_id uuid)
    where not exists (select from makegood.job j where j.job_id = g.job_id)
    order by g.job_id
    on conflict do nothing
    returning job_id
  )
  select coalesce(array_agg(job_id), '{}') into new from marked;
  insert into makegood.job (job_id, owner_id, type, type_version, pool, state, price, input, request, error, metadata,
                            attempts_max, actor, created_at, finished_at)
  select g.job_id, g.owner_id, g.type, g.type_version, g.pool, g.state, g.price, g.input, '{}', g.error, g.metadata,
         1, 'import', g.created_at, g.finished_at
  from jsonb_to_recordset(p_jobs) as g (job_id uuid, owner_id text, type text, type_version integer, pool text, state text,
                                        price bigint, input jsonb, error jsonb, metadata jsonb, created_at timestamptz,
                                        finished_at timestamptz)
  where g.job_id = any(new)
  order by g.job_id;
  update makegood.outbox set done_at = makegood.now() where job_id = any(new);
  return query select unnest(new);
end $$;
revoke execute on function makegood.import_jobs from public;
