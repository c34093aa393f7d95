-- Take attempts that may be asked about now, of each account no more than it has questions left, and set when next: the
-- longer a task of its type usually runs, or the longer this one has run beyond that, the later. Called by Attempts.due.
with budget as (
  select b.account, case when $5::double precision is not null then
           least(greatest($5, 1), b.tokens + $5 * extract(epoch from makegood.now() - b.at)::double precision)
         end as tokens
  from makegood.ask_budget b where b.account = any($1::text[]) order by b.account for update
), due as (
  select o.* from budget b cross join lateral (
    select t.job_id, t.number, t.account, t.next_ask_at from makegood.attempt t
    where t.account = b.account and t.closed_at is null and t.phase in ('accepted', 'uncertain')
      and t.next_ask_at <= makegood.now()
    order by t.next_ask_at limit least($2::integer, coalesce(floor(b.tokens), $2)::integer)
    for no key update of t skip locked) as o
  order by o.next_ask_at limit $2
), spent as (
  update makegood.ask_budget m set tokens = b.tokens - u.asked, at = makegood.now()
  from budget b join (select account, count(*) as asked from due group by account) as u on u.account = b.account
  where m.account = b.account and b.tokens is not null
)
update makegood.attempt a
set asked = a.asked + 1,
    next_ask_at = makegood.now() + make_interval(secs => case
      when a.phase = 'accepted' and j.slot and j.attempt = a.number and j.cancel_requested_at is null
        then greatest($3::double precision, least($4::double precision, coalesce((
          select greatest(l.run_seconds / 10, g.age / 20, l.first_ask_seconds - g.age)
          from makegood.learned l, extract(epoch from makegood.now() - a.accepted_at) as g (age)
          where l.type = j.type), 0)))
      else $3 end)
from due d join makegood.job j on j.job_id = d.job_id
where a.job_id = d.job_id and a.number = d.number
returning a.job_id, a.number
