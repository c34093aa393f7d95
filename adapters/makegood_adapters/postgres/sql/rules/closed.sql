-- Name the job types that take no new jobs for now, and why. Called by Rules.closed.
select name, reason from makegood.rule
where scope = 'type' and closed and (paused_until is null or paused_until > makegood.now())
order by name
