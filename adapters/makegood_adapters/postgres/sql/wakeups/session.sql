-- Make the session fit for wake-ups, and read under which process id others see what it sends. It may be
-- idle, and its commits need not wait for the disk: what they tell of is in the tables already. Not by
-- parameters of the connection, which a pooler refuses; it also tells its clients another process id.
-- Called by Wakeups.listen.
select pg_backend_pid() as pid, set_config('synchronous_commit', 'off', false), set_config('idle_session_timeout', '0', false)
