-- End a pause, if it is not over yet. Called by Rules.resume.
update makegood.rule
set paused_at = null, paused_until = null, reason = null, closed = false, actor = $3, changed_at = makegood.now()
where scope = $1 and name = $2 and paused_at is not null
  and (paused_until is null or paused_until > makegood.now())
returning name
