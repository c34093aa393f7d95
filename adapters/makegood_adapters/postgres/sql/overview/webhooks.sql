-- How webhooks out are doing: messages that wait or were given up, counted to $3 each, how late the one is that is
-- due longest, endpoints, and tries of the last $1 seconds, of the last $2 lines of the log. What a person has switched
-- off ($4) is not given up. Called by webhooks_out.
select
  (select count(*) from (select from makegood.delivery where due_at is not null limit $3) w) as waiting,
  (select count(*)
   from (select from makegood.delivery d
         where d.due_at is null and d.delivered_at is null and d.endpoint_id not in (
           select e.endpoint_id from makegood.endpoint e where e.disabled_why = $4) limit $3) f) as failed,
  greatest(0, coalesce(extract(epoch from makegood.now() - (
    select min(first.due_at) from makegood.endpoint e cross join lateral (
      select d.due_at from makegood.delivery d
      where d.endpoint_id = e.endpoint_id and d.due_at is not null and not d.leased
      order by d.due_at limit 1) first)), 0))::float8 as late_seconds,
  (select count(*) from makegood.endpoint where disabled_at is null) as endpoints,
  (select count(*) from makegood.endpoint where disabled_at is not null and disabled_why <> $4) as disabled,
  (select count(*) from makegood.endpoint where disabled_why = $4) as switched_off,
  t.tries - t.delivered as tries_failed, t.delivered as tries_delivered
from (
  select count(*) as tries, count(*) filter (where last.problem is null and last.status between 200 and 299) as delivered
  from (select at, status, problem from makegood.delivery_try order by try_id desc limit $2) last
  where last.at > makegood.now() - make_interval(secs => $1)) t
