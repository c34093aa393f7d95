-- Name the pools of which there are accounts, or in which jobs wait, from one to the next through the index: their
-- jobs are not read. Called by Oversight.line.
with recursive waiting (name) as (
  (select j.pool from makegood.job j where j.waiting order by j.pool limit 1)
  union all
  select (select j.pool from makegood.job j where j.waiting and j.pool > w.name order by j.pool limit 1)
  from waiting w where w.name is not null
)
select name from waiting where name is not null
union select pool from makegood.provider_account
order by name
