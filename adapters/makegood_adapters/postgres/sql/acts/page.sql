-- Read acts of operators, newest first, from below an id. Called by Acts.page.
select act_id, at, key, signed_by, act, subject, reason, outcome
from makegood.act where act_id < coalesce($2::bigint, 9223372036854775807)
order by act_id desc limit $1
