-- Claim the next row of a queue without rules. Called once in a handover.
update bare set taken = true
where number = (select number from bare where not taken order by number limit 1 for update skip locked)
returning number
