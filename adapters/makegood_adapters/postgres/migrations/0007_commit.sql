-- Many at a time: what concurrent callers of one process want, in one statement and so in one commit.
--
-- Each function does for a hundred rows what it does for one, takes its rows in the order of their ids, and
-- leaves out, without waiting, every row that somebody else has locked or that is no longer as its caller saw
-- it. The caller looks again at what was left out, one at a time. They run with the rights of the caller;
-- the triggers on the tables decide as they do for any other UPDATE.
--
-- Plans are made once, and look every row up by its key: they outlive the young tables of which reading all
-- looked cheap, and making one costs ten times what carrying it out does.

-- Keep facts about attempts, at most one for each attempt and of those in p_only, and bring the attempts up to
-- them; what is known already changes nothing. The first final verdict of an attempt keeps others out. Called by
-- record_facts and move_jobs.
create function makegood.keep_evidence(p_facts jsonb, p_only uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  takers text[];
begin
  perform 1 from makegood.attempt a
    join jsonb_to_recordset(p_facts) as f (job_id uuid, attempt integer)
      on a.job_id = f.job_id and a.number = f.attempt
    where p_only is null or f.job_id = any(p_only)
    order by a.job_id, a.number for no key update of a;
  -- a task, or a webhook, that came meanwhile knows better than a count, and than a person who found no task
  if p_facts @> '[{"source": "count"}]' or p_facts @> '[{"source": "administrator", "verdict": "rejected"}]' then
    p_facts := (
      select coalesce(jsonb_agg(f.fact), '[]') from jsonb_array_elements(p_facts) as f (fact)
      where not (f.fact ->> 'source' = 'count'
                 or f.fact ->> 'source' = 'administrator' and f.fact ->> 'verdict' = 'rejected')
        or not exists (
          select 1 from makegood.attempt a
          where a.job_id = (f.fact ->> 'job_id')::uuid and a.number = (f.fact ->> 'attempt')::integer
            and a.closed_at is null and (a.accepted_at is not null or exists (
              select 1 from makegood.inbox i
              where i.job_id = a.job_id and i.attempt = a.number and i.source = 'webhook'
                and (f.fact ->> 'source' = 'count' or i.read_at is null and i.task_id is not null)))));
  end if;
  insert into makegood.evidence (job_id, attempt, verdict, source, task_id, detail)
    select f.job_id, f.attempt, f.verdict, f.source, f.task_id, f.detail
    from jsonb_to_recordset(p_facts) as f (job_id uuid, attempt integer, verdict text, final boolean,
                                           source text, task_id text, detail jsonb)
    join makegood.attempt a on a.job_id = f.job_id and a.number = f.attempt
    where (not f.final or a.verdict is null or a.verdict = f.verdict)
      and (p_only is null or f.job_id = any(p_only))
    on conflict (job_id, attempt, verdict) do nothing;
  with brought as (
    update makegood.attempt a
    set task_id = coalesce(a.task_id, f.task_id),
        accepted_at = case when f.verdict = 'accepted' then coalesce(a.accepted_at, makegood.now())
                           else a.accepted_at end,
        phase = case when a.closed_at is not null then a.phase
                     when f.final then 'closed'
                     when f.verdict = 'accepted' then 'accepted'
                     else a.phase end,
        closed_at = case when f.final then coalesce(a.closed_at, makegood.now()) else a.closed_at end,
        verdict = case when f.final and a.closed_at is null then f.verdict else a.verdict end,
        outputs = case when f.verdict = 'succeeded' and a.closed_at is null then f.outputs
                       else a.outputs end,
        next_fetch_at = case when f.verdict = 'succeeded' and a.closed_at is null then makegood.now()
                             else a.next_fetch_at end,
        next_ask_at = case when f.verdict = 'accepted' and a.accepted_at is null
            and (a.next_ask_at is null or a.next_ask_at > makegood.now())  -- else somebody has hinted at it
          then makegood.now() + make_interval(secs => coalesce((
            select l.first_ask_seconds  -- unless somebody has told something, or the task is not wanted
            from makegood.job j join makegood.learned l on l.type = j.type
            where j.job_id = a.job_id and j.attempt = a.number and j.slot and j.cancel_requested_at is null
              and not exists (select from makegood.inbox i where i.job_id = a.job_id and i.attempt = a.number
                                and i.read_at is null)), 0)) else a.next_ask_at end
    from jsonb_to_recordset(p_facts) as f (job_id uuid, attempt integer, verdict text, final boolean,
                                           task_id text, outputs jsonb)
    where a.job_id = f.job_id and a.number = f.attempt
      and (f.final and a.closed_at is null or f.verdict = 'accepted' and a.accepted_at is null
           or f.task_id is not null and a.task_id is null)
      and (p_only is null or f.job_id = any(p_only))
    returning a.account, a.intent_at, a.closed_at, f.verdict
  )
  select array_agg(distinct b.account) into takers
    from brought b join makegood.provider_account p on p.name = b.account
    where b.verdict = 'accepted' and b.closed_at is null
      and (p.rests > 0 or p.refusals > 0 or p.problem is not null or p.learned is not null)
      and (p.problem_since is null or b.intent_at > p.problem_since)  -- not who was sent before it
      and (p.rests = 0 or b.intent_at >= p.rested_at);
  if exists (select 1 from makegood.parked_hint) then  -- what was said of these tasks before they were known
    perform makegood.adopt_hints(array(
      select f.task_id from jsonb_to_recordset(p_facts) as f (task_id text) where f.task_id is not null));
  end if;
  if takers is null then
    return;
  end if;
  update makegood.provider_account  -- who accepts is not full, and can be used
    set rests = 0, refusals = 0, rests_until = null, problem = null, problem_since = null, unfits = 0
    where name = any(takers) and (rests > 0 or refusals > 0 or problem is not null);
  update makegood.provider_account p  -- and has perhaps more room than was learned
    set learned_at = makegood.now(),
        learned = case when p.learned + 1 < coalesce(p.configured, p.told, 1) then p.learned + 1 end
    where p.name = any(takers) and p.learned_at <= makegood.now() - make_interval(secs => p.grow_seconds)
      and p.learned <= (select count(*) from makegood.attempt a
                        where a.account = p.name and a.closed_at is null);
end $$;

-- Keep facts and return the attempts as they then are. Called by Attempts.record.
create function makegood.record_facts(p_facts jsonb) returns setof makegood.attempt
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  perform makegood.keep_evidence(p_facts, null);
  return query select a.* from makegood.attempt a
    join jsonb_to_recordset(p_facts) as f (job_id uuid, attempt integer)
      on a.job_id = f.job_id and a.number = f.attempt;
end $$;

-- Compare and set transitions, at most one for each job, with the evidence that they rest on; the triggers do
-- the rest. With p_wait it waits for rows that others have locked. Called by Jobs.apply.
create function makegood.move_jobs(
  p_jobs uuid[], p_versions integer[], p_states text[], p_intents integer[], p_cancels boolean[],
  p_events text[], p_targets text[], p_operations uuid[], p_actors text[], p_reasons text[],
  p_settle bigint[], p_outputs text[], p_errors text[], p_pauses double precision[], p_data text[],
  p_facts text, p_wait boolean
) returns setof makegood.job
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  free uuid[];
begin
  if p_wait then
    perform 1 from makegood.job where job_id = any(p_jobs) order by job_id for no key update;
  end if;
  if p_facts is not null then  -- in a statement before the one that rests on them
    select array_agg(job_id) into free from (
      select j.job_id
      from unnest(p_jobs, p_versions, p_states, p_intents, p_cancels)
        as w (job_id, version, state, intent, cancel)
      join makegood.job j on j.job_id = w.job_id and j.version = w.version and j.state = w.state
        and j.intent_attempt is not distinct from w.intent
        and (j.cancel_requested_at is not null) = w.cancel
      order by j.job_id for no key update of j skip locked) t;
    if free is not null then
      perform makegood.keep_evidence(p_facts::jsonb, free);
    end if;
  end if;
  return query
    with taken as materialized (
      select w.*, j.owner_id, j.pool, j.priority, j.start_tag, j.queued_at is null as fresh
      from unnest(p_jobs, p_versions, p_states, p_intents, p_cancels, p_events, p_targets, p_operations,
                  p_actors, p_reasons, p_settle, p_outputs, p_errors, p_pauses, p_data)
        as w (job_id, version, state, intent, cancel, event, target, operation_id, actor, reason, settle,
              output, error, pause, data)
      join makegood.job j on j.job_id = w.job_id and j.version = w.version and j.state = w.state
        and j.intent_attempt is not distinct from w.intent
        and (j.cancel_requested_at is not null) = w.cancel
      order by j.job_id for no key update of j skip locked
    ), placed as (  -- where a job that begins to wait will stand, if nobody comes between: give_places sees to it
      select t.*, case when t.fresh then
        coalesce(greatest((select s.finish_tag from makegood.share s
                           where s.owner_id = t.owner_id and s.pool = t.pool and s.priority = t.priority),
                          (select l.virtual_time from makegood.lane l
                           where l.pool = t.pool and l.priority = t.priority)), 0)
        + (row_number() over (partition by t.fresh, t.target, t.owner_id, t.pool, t.priority order by t.job_id) - 1)
          * (1 / coalesce((select r.weight from makegood.rule r
                           where r.scope = 'owner' and r.name = t.owner_id), 1))
        else t.start_tag end as place
      from taken t
    )
    update makegood.job j
    set state = t.target, start_tag = t.place, event = t.event, operation_id = t.operation_id, actor = t.actor,
        reason = t.reason, settled = coalesce(t.settle, j.settled),
        output = coalesce(t.output::jsonb, j.output), error = t.error::jsonb, data = t.data::jsonb,
        not_before = coalesce(makegood.now() + make_interval(secs => t.pause), j.not_before)
    from placed t where j.job_id = t.job_id
    returning j.*;
end $$;

-- Insert jobs in their initial state; left out is one that is there already, and one whose owner has a job of the
-- same exclusive scope that is not over. Called by Jobs.insert.
create function makegood.insert_jobs(
  p_jobs uuid[], p_owners text[], p_types text[], p_versions integer[], p_pools text[], p_prices bigint[],
  p_inputs text[], p_requests text[], p_files text[], p_keys text[], p_priorities integer[],
  p_attempts_max integer[], p_retry_of uuid[], p_actors text[], p_digests text[], p_scopes text[],
  p_starts timestamptz[], p_drafts boolean[], p_sessions text[], p_metadata text[]
) returns setof makegood.job
language sql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  insert into makegood.job (job_id, owner_id, type, type_version, pool, state, price, input, request, files, key,
                            priority, attempts_max, retry_of, actor, input_digest, exclusive_scope, not_before,
                            draft, session, metadata)
  select w.job_id, w.owner_id, w.type, w.version, w.pool, s.name, w.price, w.input::jsonb, w.request::jsonb,
         w.files::jsonb, w.key, w.priority, w.attempts_max, w.retry_of, w.actor, w.digest, w.scope, w.start,
         w.draft, w.session, w.metadata::jsonb
  from unnest(p_jobs, p_owners, p_types, p_versions, p_pools, p_prices, p_inputs, p_requests, p_files, p_keys,
              p_priorities, p_attempts_max, p_retry_of, p_actors, p_digests, p_scopes, p_starts, p_drafts,
              p_sessions, p_metadata)
    as w (job_id, owner_id, type, version, pool, price, input, request, files, key, priority, attempts_max,
          retry_of, actor, digest, scope, start, draft, session, metadata)
  join makegood.machine_state s on s.type = w.type and s.version = w.version and s.is_initial
  order by w.owner_id, w.scope, w.key, w.job_id  -- two batches with the same keys meet in the same order
  on conflict do nothing
  returning *
$$;

-- Note that create calls are about to be made, for attempts whose lease is still the caller's and whose jobs are
-- still theirs. Called by Attempts.intend.
create function makegood.intend_attempts(
  p_jobs uuid[], p_numbers integer[], p_epochs integer[], p_hashes bytea[], p_leases double precision[],
  p_wait boolean
) returns setof uuid
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  taken uuid[];
begin
  if p_wait then
    perform 1 from makegood.job where job_id = any(p_jobs) order by job_id for no key update;
  end if;
  select array_agg(t.job_id) into taken from (
    select j.job_id from unnest(p_jobs, p_numbers) as w (job_id, number)
    join makegood.job j on j.job_id = w.job_id and j.attempt = w.number and j.slot
    order by j.job_id for no key update of j skip locked) t;
  with intended as (
    update makegood.attempt a
    set phase = 'submitting', intent_at = makegood.now(), token_hash = w.hash,
        lease_until = makegood.now() + make_interval(secs => w.lease)
    from unnest(p_jobs, p_numbers, p_epochs, p_hashes, p_leases) as w (job_id, number, epoch, hash, lease)
    where a.job_id = w.job_id and a.number = w.number and a.job_id = any(taken)
      and a.epoch = w.epoch and a.phase = 'opened' and a.lease_until > makegood.now()
    returning a.job_id
  )
  select array_agg(job_id) into taken from intended;
  return query
    update makegood.job j set intent_attempt = j.attempt where j.job_id = any(taken) returning j.job_id;
end $$;
