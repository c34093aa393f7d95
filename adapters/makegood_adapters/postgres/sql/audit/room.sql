-- Give this transaction time and memory to read whole tables; compiling would cost more than it saves. Called by
-- Store.audit.
select set_config('statement_timeout', $1, true), set_config('work_mem', '64MB', true),
       set_config('jit', 'off', true), makegood.now() as now
