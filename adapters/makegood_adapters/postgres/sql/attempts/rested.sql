-- An accepted task ends the rests of its account. Called by Attempts.record and Jobs.apply.
update makegood.provider_account p set rests = 0, rests_until = null
from makegood.attempt a
where a.job_id = $1 and a.number = $2 and p.name = a.account and p.rests > 0
