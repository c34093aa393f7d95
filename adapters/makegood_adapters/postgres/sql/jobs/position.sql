-- Count who stands before a waiting job in its pool, itself included. Called by Jobs.position.
select count(*) as position
from makegood.job me join makegood.job other
  on other.pool = me.pool and other.waiting
 and (-other.priority, other.start_tag, other.queued_at, other.job_id)
     <= (-me.priority, me.start_tag, me.queued_at, me.job_id)
where me.job_id = $1 and me.waiting
