-- Add up what a benchmark has left behind. Called when it is over.
select (select count(*) from makegood.history where actor <> 'preparation') as transitions,
       coalesce(sum(j.price) filter (where s.holding = 'held'), 0)::bigint as owed_held,
       coalesce(sum(j.settled), 0)::bigint as owed_captured,
       count(*) filter (where j.state = 'completed') as completed,
       count(*) filter (where j.state <> 'completed') as others,
       b.issued, b.remaining, b.held, b.captured
from makegood.job j
join makegood.machine_state s on (s.type, s.version, s.name) = (j.type, j.type_version, j.state)
cross join (select sum(issued)::bigint as issued, sum(remaining)::bigint as remaining,
                   sum(held)::bigint as held, sum(captured)::bigint as captured from makegood.bucket) b
group by b.issued, b.remaining, b.held, b.captured
