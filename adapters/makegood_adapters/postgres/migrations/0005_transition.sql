-- The referee: every write to `job` passes here, whoever made it.

-- A job begins in its machine's initial state, whatever was asked for. One that the owner of the schema has marked
-- as over elsewhere begins where it ended, and has no part in this ledger: see import_jobs.
create function makegood.job_begins() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  here makegood.machine_state;
begin
  select * into here from makegood.machine_state
    where type = new.type and version = new.type_version and name = new.state;
  if not found or not here.is_initial and not (here.is_terminal and exists (
      select from makegood.imported i where i.job_id = new.job_id)) then
    raise exception 'a job of type %@% cannot begin in state %', new.type, new.type_version, new.state
      using errcode = 'MG001';
  end if;
  new.previous_state := null; new.version := 0; new.moved := true; new.money := 'none';
  new.waiting := false; new.slot := false; new.event := 'submit'; new.reason := null;
  new.settled := null; new.attempt := 0; new.intent_attempt := null; new.reruns := 0;
  new.queued_at := null; new.queue_deadline_at := null;
  new.watched_until := null; new.progress_at := null; new.start_tag := 0; new.parked := 'no';
  new.cancel_requested_at := null; new.output := null; new.data := null;
  if here.is_terminal then  -- of its times what was told, as far as it can be
    new.event := 'import'; new.settled := 0; new.deadline_at := null;
    new.created_at := least(new.created_at, makegood.now());
    new.finished_at := greatest(new.created_at, least(new.finished_at, makegood.now()));
    new.entered_at := new.finished_at;
    return new;
  end if;
  new.created_at := makegood.now(); new.entered_at := new.created_at; new.finished_at := null; new.error := null;
  new.deadline_at := new.created_at + make_interval(secs => here.deadline_seconds);
  return new;
end $$;
create trigger job_begins before insert on makegood.job
  for each row execute function makegood.job_begins();

-- What a job was ordered as, stays, but for a draft, which becomes complete once, before anything else; it may go on
-- as another type that begins in the same state. Its columns are compared only when a statement names them.
create function makegood.job_fixed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  other_type boolean := (new.type, new.type_version) is distinct from (old.type, old.type_version);
begin
  if (new.job_id, new.owner_id, new.input_digest, new.key, new.created_at, new.retry_of, new.exclusive_scope,
      new.session)
     is distinct from
     (old.job_id, old.owner_id, old.input_digest, old.key, old.created_at, old.retry_of, old.exclusive_scope,
      old.session)
     or (other_type or (new.price, new.input, new.request, new.files, new.draft, new.pool, new.attempts_max)
         is distinct from (old.price, old.input, old.request, old.files, old.draft, old.pool, old.attempts_max))
        and not (old.draft and not new.draft and old.version = 0 and new.state = old.state)
  then
    raise exception 'job %: owner, type, price, input and request never change', old.job_id
      using errcode = 'MG005';
  end if;
  if other_type and not exists (select 1 from makegood.machine_state s where s.type = new.type
                                  and s.version = new.type_version and s.name = new.state and s.is_initial) then
    raise exception 'job % of type %@% cannot go on as %@%, which does not begin in state %',
                    old.job_id, old.type, old.type_version, new.type, new.type_version, new.state
      using errcode = 'MG005';
  end if;
  return new;
end $$;
create trigger job_as_ordered before update of job_id, owner_id, type, type_version, pool, price, input,
    input_digest, request, files, key, attempts_max, created_at, retry_of, exclusive_scope, draft, session
    on makegood.job
  for each row execute function makegood.job_fixed();

-- Is the edge legal, is what must be known known, and what follows for the row?
create function makegood.job_before() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  edge record;  -- and the state to which it leads
  ours boolean := new.operation_id is distinct from old.operation_id;
  at timestamptz;
begin
  -- what only this trigger writes
  new.version := old.version; new.previous_state := old.previous_state; new.moved := false;
  new.money := old.money; new.waiting := old.waiting; new.slot := old.slot;
  new.entered_at := old.entered_at; new.deadline_at := old.deadline_at;
  new.queued_at := old.queued_at; new.queue_deadline_at := old.queue_deadline_at;
  new.finished_at := old.finished_at; new.reruns := old.reruns;
  new.parked := case when old.waiting then new.parked else 'no' end;
  new.cancel_requested_at := coalesce(old.cancel_requested_at, new.cancel_requested_at);
  if new.intent_attempt is distinct from old.intent_attempt
     and not (old.slot and new.state = old.state and new.intent_attempt is not distinct from old.attempt)
  then
    raise exception 'job %: the submission intent of an attempt can be set once, never taken back',
                    old.job_id using errcode = 'MG005';
  end if;

  if new.state = old.state then
    if (new.attempt, new.settled, new.output, new.error, new.data, new.event, new.actor, new.reason,
        new.operation_id)
       is distinct from
       (old.attempt, old.settled, old.output, old.error, old.data, old.event, old.actor, old.reason,
        old.operation_id)
    then
      raise exception 'job %: these columns change only together with the state', old.job_id
        using errcode = case when ours then 'MG001' else 'MG005' end;
    end if;
    if new.progress_at is distinct from old.progress_at then  -- its upload goes on, so its deadline waits
      new.progress_at := old.progress_at;
      if old.slot and old.intent_attempt is distinct from old.attempt or old.draft and old.version = 0 then
        new.progress_at := makegood.now();
        select greatest(old.deadline_at, least(new.progress_at + make_interval(secs => s.deadline_seconds),
                                               old.entered_at + make_interval(secs => 6 * s.deadline_seconds)))
          into new.deadline_at from makegood.machine_state s
          where s.type = old.type and s.version = old.type_version and s.name = old.state;
      end if;
    end if;
    -- whoever writes it: the watchdog comes back within the hour
    if new.watched_until > makegood.now() + interval '1 hour' then
      new.watched_until := makegood.now() + interval '1 hour';
    end if;
    if (new.start_tag, new.priority, new.not_before, new.parked)
       is distinct from (old.start_tag, old.priority, old.not_before, old.parked) then
      select start_tag, parked into new.start_tag, new.parked from makegood.keep_place(old, new);
    end if;
    return new;
  end if;

  select e.event, e.money, e.opens_attempt, e.verdicts, e.evidence_always,
         s.is_terminal, s.is_waiting, s.is_slot, s.deadline_seconds into edge
    from makegood.machine_edge e
    join makegood.machine_state s on s.type = e.type and s.version = e.version and s.name = e.to_state
    where e.type = old.type and e.version = old.type_version
      and e.from_state = old.state and e.to_state = new.state
      and (not ours or e.event = new.event)
    order by e.place limit 1;
  if not found then
    raise exception 'job % of type %@% cannot go from % to %',
                    old.job_id, old.type, old.type_version, old.state, new.state
      using errcode = 'MG001';
  end if;
  if old.draft and not edge.is_terminal then
    raise exception 'job %: its input is not complete; nothing was charged', old.job_id using errcode = 'MG007';
  end if;
  if edge.opens_attempt or edge.verdicts is not null or new.attempt <> old.attempt then
    perform makegood.check_attempt(old.job_id, new.state, old.attempt, new.attempt, old.intent_attempt,
                                   old.cancel_requested_at is not null, edge.opens_attempt, edge.verdicts,
                                   edge.evidence_always, edge.money);
  end if;
  if not ours and edge.money = 'capture'
     and coalesce(new.output, 'null') = 'null'::jsonb then
    raise exception 'job % cannot become %: its result is not in our storage', old.job_id, new.state
      using errcode = 'MG002';
  end if;

  at := makegood.now();
  if not ours then  -- a plain UPDATE: the row still names whoever wrote last
    new.operation_id := gen_random_uuid(); new.event := edge.event; new.reason := null;
    new.actor := 'database:' || session_user; new.data := null;
    if edge.is_terminal and new.error is null and edge.money <> 'capture' then
      new.error := jsonb_build_object('category', 'external', 'detail', jsonb_build_object(),
                                      'message', 'Another program ended the job.');
    end if;
  end if;
  new.previous_state := old.state; new.version := old.version + 1; new.moved := true;
  new.money := edge.money; new.waiting := edge.is_waiting; new.slot := edge.is_slot;
  new.entered_at := at; new.watched_until := null; new.progress_at := null; new.parked := 'no';
  new.settled := case edge.money
    when 'capture' then case when ours then coalesce(new.settled, new.price) else new.price end
    when 'policy' then case when ours and old.intent_attempt = old.attempt
                            then coalesce(new.settled, 0) else 0 end
    when 'release' then 0
    else case when edge.is_terminal then coalesce(old.settled, 0) else old.settled end end;
  if edge.is_terminal then
    new.deadline_at := null; new.finished_at := at; new.not_before := null; new.start_tag := old.start_tag;
  elsif edge.is_waiting then  -- who comes back keeps the place and the last moment of the queue
    if old.queued_at is null then
      new.not_before := coalesce(new.not_before, old.not_before);
    else
      new.start_tag := old.start_tag;
    end if;
    if new.not_before > at then
      new.parked := 'time';
    end if;
    new.queued_at := coalesce(old.queued_at, at);
    new.queue_deadline_at := coalesce(old.queue_deadline_at,
                                      at + make_interval(secs => edge.deadline_seconds));
    new.deadline_at := new.queue_deadline_at;
    if old.slot and exists (select 1 from makegood.attempt a where a.job_id = old.job_id
                              and a.number = old.attempt and a.accepted_at is not null) then
      new.reruns := old.reruns + 1;  -- a provider that was too busy to accept is no try
    end if;
  else
    if edge.is_slot then  -- before that it keeps the moment that was asked for when it was submitted
      new.not_before := null;
    end if;
    new.start_tag := old.start_tag;
    new.deadline_at := at + make_interval(secs => edge.deadline_seconds);
  end if;
  return new;
end $$;

-- Keep what a job has of its place in the queue while it stays in its state. Its tag may become one of those that its
-- owner's last jobs have taken, which is what give_places does; in another lane it begins at the head. Whom the
-- dispatcher parks is its own affair, but one whose time has not come stays parked. Called by job_before.
create function makegood.keep_place(old makegood.job, new makegood.job, out start_tag double precision, out parked text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  start_tag := old.start_tag; parked := new.parked;
  if not old.waiting then
    return;
  end if;
  if new.priority <> old.priority then
    start_tag := coalesce((select l.virtual_time from makegood.lane l
                           where l.pool = old.pool and l.priority = new.priority), 0);
  elsif new.start_tag <> old.start_tag and exists (
      select 1 from makegood.share s where s.owner_id = old.owner_id and s.pool = old.pool
        and s.priority = old.priority and new.start_tag >= s.start_tag and new.start_tag < s.finish_tag) then
    start_tag := new.start_tag;
  end if;
  if new.not_before > makegood.now() then
    parked := 'time';
  elsif parked = 'time' then
    parked := 'no';
  end if;
end $$;

-- Take back from owners' shares what jobs had of them that left the queue without a slot: who cancels a hundred jobs does
-- not stand behind them. No owner gets back more than its jobs that still wait, and one turn, leave. Called by job_after.
create function makegood.take_places_back(p_jobs uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin  -- the shares are locked: a later statement sees who came before that
  with gone as (
    select distinct owner_id, pool, priority from makegood.job where job_id = any(p_jobs)
  ), rest as (
    select g.*, 1 / coalesce((select r.weight from makegood.rule r where r.scope = 'owner' and r.name = g.owner_id), 1)
             as step,
           greatest((select l.virtual_time from makegood.lane l where l.pool = g.pool and l.priority = g.priority),
                    (select max(j.start_tag) from makegood.job j where j.waiting and j.owner_id = g.owner_id
                       and j.pool = g.pool and j.priority = g.priority), 0) as last
    from gone g
  )
  update makegood.share s set start_tag = least(s.start_tag, r.last), finish_tag = r.last + r.step
    from rest r where s.owner_id = r.owner_id and s.pool = r.pool and s.priority = r.priority
      and s.finish_tag > r.last + r.step;
end $$;

-- Refuse an edge whose attempt is missing or about which too little is known. Called by job_before.
create function makegood.check_attempt(
  job uuid, target text, current integer, wanted integer, intent integer, to_cancel boolean, opens boolean,
  verdicts text[], always boolean, money text
) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if opens then
    if wanted <> current + 1 or not exists (
        select 1 from makegood.attempt a
        where a.job_id = job and a.number = wanted and a.closed_at is null) then
      raise exception 'job % cannot become % without an open attempt: the dispatcher opens it',
                      job, target using errcode = 'MG003';
    end if;
    return;
  end if;
  if wanted <> current then
    raise exception 'job %: only dispatching opens another attempt', job
      using errcode = 'MG005';
  end if;
  if verdicts is null
     or not (always or intent is not distinct from current) then
    return;
  end if;
  if not exists (
      select 1 from makegood.evidence e
      where e.job_id = job and e.attempt = current
        and e.verdict = any(verdicts)
        and not (money = 'policy' and e.verdict = 'cancelled' and not to_cancel)) then
    raise exception 'job % cannot become %: attempt % needs evidence that it is one of: %',
                    job, target, current,
                    array_to_string(verdicts, ', ')
      using errcode = 'MG002',
            hint = 'The job was submitted to the provider, so only what the provider answered, a '
                   'passed deadline, or an administrator with a reason may end it.';
  end if;
end $$;
create trigger job_before before update on makegood.job
  for each row execute function makegood.job_before();

-- Carry out what the moves of one statement mean: credits, slots, history, announcements.
create function makegood.job_after() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  any_moved boolean;
  hold uuid[];
  settle uuid[];
  come uuid[];
  gone uuid[];
  left_slot boolean;
  left_queue boolean;
begin
  select bool_or(true), array_agg(job_id) filter (where money = 'hold'),
         array_agg(job_id) filter (where money in ('capture', 'release', 'policy')),
         array_agg(job_id) filter (where waiting and queued_at = entered_at),
         array_agg(job_id) filter (where queued_at is not null and not waiting and attempt = 0),
         bool_or(attempt > 0 and not slot), bool_or(queued_at is not null and not slot)
    into any_moved, hold, settle, come, gone, left_slot, left_queue from changed where moved;
  if any_moved is null then
    return null;
  end if;
  if hold is not null and settle is not null then  -- else each locks its wallets in this order itself
    perform 1 from makegood.wallet where owner_id in (select owner_id from changed where moved)
      order by owner_id for no key update;
  end if;
  if hold is not null then
    perform makegood.hold_credits(hold);
  end if;
  if settle is not null then
    perform makegood.settle_credits(settle);
  end if;
  if gone is not null then
    perform 1 from makegood.share where (owner_id, pool, priority) in (
      select owner_id, pool, priority from makegood.job where job_id = any(come || gone))
      order by owner_id, pool, priority for no key update;
    perform makegood.take_places_back(gone);
  end if;
  if come is not null then
    perform makegood.give_places(come);
  end if;

  if left_slot then  -- never sent: over at once; sent: drains until it is known to be over
    update makegood.attempt a
    set phase = case when a.intent_at is null or c.finished_at is null then 'closed' else a.phase end,
        closed_at = case when a.intent_at is null or c.finished_at is null then c.entered_at end,
        draining_until = case when a.intent_at is not null
          then c.finished_at + make_interval(secs => (
            select p.draining_seconds from makegood.provider_account p where p.name = a.account)) end
    from changed c
    where c.moved and not c.slot and c.attempt > 0 and a.job_id = c.job_id and a.number = c.attempt
      and a.phase <> 'closed';
  end if;
  if left_queue and exists (select 1 from makegood.rule where scope in ('owner', 'type')
                              and running_max is not null) then
    perform makegood.note_freed(array_agg(pool), array_agg(owner_id), array_agg(type))
      from changed where moved and queued_at is not null and not slot and (attempt > 0 or not waiting);
  end if;

  with written as (
    insert into makegood.history (job_id, version, operation_id, owner_id, type, event, from_state,
                                  to_state, actor, reason, attempt, at)
    select job_id, version, operation_id, owner_id, type, event, previous_state, state, actor,
           reason, attempt, entered_at
    from changed where moved order by job_id
  )
  insert into makegood.outbox (job_id, version)
    select job_id, version from changed where moved order by job_id;
  return null;
end $$;
create trigger job_moved after update on makegood.job
  referencing new table as changed for each statement execute function makegood.job_after();
create trigger job_inserted after insert on makegood.job
  referencing new table as changed for each statement execute function makegood.job_after();
