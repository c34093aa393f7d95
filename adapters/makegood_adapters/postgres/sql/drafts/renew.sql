-- Put off the end of an owner's drafts, whose page goes on to bring a file. Called by Drafts.renew.
update makegood.job set progress_at = makegood.now()
where job_id in (
  select job_id from makegood.job where owner_id = $1 and draft and finished_at is null
  order by job_id for no key update skip locked)
