-- Read under which process id other sessions see what this one sends; a pooler tells its clients another.
-- Called by Wakeups.listen.
select pg_backend_pid()
