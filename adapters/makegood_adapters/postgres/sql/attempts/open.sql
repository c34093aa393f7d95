-- Open attempts, that is, take slots; where there is one already, the job is passed over. Called by Attempts.dispatch.
insert into makegood.attempt (job_id, number, account)
select job_id, number, account from unnest($1::uuid[], $2::integer[], $3::text[])
  as t (job_id, number, account)
order by account, job_id
on conflict (job_id, number) do nothing
returning job_id
