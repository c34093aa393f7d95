-- Who may do what. Three kinds of rights, each a list of grants; the owner gives a kind to a role.
--
-- No role is made here: roles belong to the whole server, so making them needs a right that managed
-- databases withhold, and a role that two databases share would have its rights in both. `grant_rights`
-- gives a kind in this database alone, to a login role or to a group that the owner has made.
-- Nobody but the owner writes bucket, journal, hold, wallet or history: the triggers and functions that do
-- run as the owner. Every table and function that a kind needs is in this list; whoever adds one adds it here.

create table makegood.granted (  -- to whom a kind was given, so that a migration can renew it
  role regrole primary key,
  kind text not null check (kind in ('worker', 'api', 'readonly'))
);

create view makegood.kind_right as
select kind, privilege, object from (values
  (array['worker', 'api', 'readonly'], 'usage', 'schema makegood'),
  (array['worker', 'api', 'readonly'], 'execute', 'function makegood.now'),
  (array['worker', 'api', 'readonly'], 'select', 'table makegood.machine, makegood.machine_state, '
    'makegood.machine_edge, makegood.ledger_rule, makegood.wallet, makegood.bucket, makegood.journal, makegood.posting, '
    'makegood.provider_account, makegood.job, makegood.imported, makegood.evidence, makegood.hold, makegood.history, '
    'makegood.outbox, makegood.inbox, makegood.violation, makegood.invariant, makegood.migration, makegood.kind_right, '
    'makegood.granted, makegood.pool, makegood.lane, makegood.share, makegood.rule, makegood.freed, makegood.learned, '
    'makegood.stream, makegood.placed, makegood.parked_hint, makegood.worker, makegood.pace, makegood.milestone, '
    'makegood.reckoning, makegood.ask_budget, makegood.upload, makegood.upload_name, makegood.uploading, makegood.delivery, '
    'makegood.delivery_try, makegood.fan_out, makegood.act'),
  (array['worker', 'api'], 'insert (key, signed_by, act, subject, reason, outcome)', 'table makegood.act'),
  (array['worker', 'api'], 'select, update (last_used_at)', 'table makegood.service_key'),
  (array['worker'], 'insert (key_id, key_hash, name, scopes, created_by, expires_at), '
    'update (key_hash, previous_hash, previous_until, revoked_at, revoked_by)', 'table makegood.service_key'),
  (array['readonly'], 'select (key_id, name, scopes, created_at, created_by, expires_at, previous_until, '
    'revoked_at, revoked_by, last_used_at)', 'table makegood.service_key'),
  (array['worker', 'api', 'readonly'], 'execute', 'function makegood.standing, makegood.count_waiting, '
    'makegood.queue_ends'),
  (array['worker', 'api'], 'execute', 'function makegood.hinted_at'),
  (array['worker'], 'execute', 'function makegood.reckon'),
  (array['worker'], 'update (tokens, at)', 'table makegood.ask_budget'),
  (array['worker', 'api'], 'select', 'table makegood.attempt'),
  (array['readonly'], 'select (job_id, number, account, phase, epoch, lease_until, task_id, ran, asked, '
    'opened_at, intent_at, accepted_at, closed_at, verdict, outputs, next_ask_at, next_fetch_at, '
    'cancel_sent_at, cancel_answered, cancel_late, draining_until, counted_at, counted_late_at, count_void)',
    'table makegood.attempt'),

  (array['worker'], 'select', 'table makegood.endpoint'),
  (array['api', 'readonly'], 'select (endpoint_id, owner_id, states, types, description, after, old_until, '
    'created_at, disabled_at, disabled_why, failing_since)', 'table makegood.endpoint'),

  (array['worker', 'api'], 'insert (job_id, owner_id, type, type_version, pool, state, price, input, '
    'request, files, key, priority, attempts_max, retry_of, actor, input_digest, exclusive_scope, not_before, '
    'draft, session, metadata)',
    'table makegood.job'),
  (array['worker', 'api'], 'update (state, event, operation_id, actor, reason, settled, output, error, '
    'data, not_before, cancel_requested_at, start_tag, progress_at, price, input, request, files, draft, '
    'metadata, type, type_version, pool, attempts_max)',
    'table makegood.job'),
  (array['worker'], 'update (attempt, intent_attempt, watched_until)', 'table makegood.job'),

  (array['worker', 'api'], 'insert (job_id, attempt, source, digest, body, task_id), update (copies)',
    'table makegood.inbox'),
  (array['worker'], 'update (read_at)', 'table makegood.inbox'),
  (array['worker', 'api'], 'update (next_ask_at)', 'table makegood.attempt'),

  (array['worker'], 'insert (job_id, number, account), update (phase, epoch, lease_until, token_hash, '
    'task_id, ran, asked, intent_at, accepted_at, closed_at, verdict, outputs, next_fetch_at, '
    'cancel_sent_at, cancel_answered, cancel_late, counted_at, counted_late_at, count_void)',
    'table makegood.attempt'),
  (array['worker'], 'insert (job_id, attempt, verdict, source, task_id, detail)',
    'table makegood.evidence'),
  (array['worker'], 'update (delivered, leased_until, tries, done_at)', 'table makegood.outbox'),
  (array['worker'], 'insert (name, pool, configured, draining_seconds, exclusive, grow_seconds), '
    'update (pool, configured, draining_seconds, exclusive, grow_seconds, told, learned, learned_at, '
    'rests_until, rested_at, rests, refusals, problem, problem_since, unfits, next_survey_at, in_use, told_at, '
    'differs_since, others, others_until, fewer_since, fewer_asked, failures, last_error)', 'table makegood.provider_account'),

  (array['worker'], 'insert (scope, name, running_max, weight, oldest_every, paused_at, paused_until, reason, '
    'closed, actor), '
    'update (running_max, weight, oldest_every, paused_at, paused_until, reason, closed, actor, changed_at)',
    'table makegood.rule'),
  (array['worker'], 'insert (endpoint_id, owner_id, url, states, types, description, secret, after), '
    'update (url, states, types, description, after, secret, old_secret, old_until, disabled_at, disabled_why, '
    'failing_since)', 'table makegood.endpoint'),
  (array['worker'], 'update (tries, epoch, due_at, leased, delivered_at, failed_at)', 'table makegood.delivery'),
  (array['worker'], 'insert (worker_id, host, pid, number, version, state, accounts, health), '
    'update (seen_at, state, accounts, health)', 'table makegood.worker'),

  (array['worker'], 'insert (grace_seconds), update (grace_seconds)', 'table makegood.ledger_rule'),
  (array['worker'], 'insert (type, version, digest)', 'table makegood.machine'),
  (array['worker'], 'insert (type, version, name, is_initial, is_terminal, is_slot, is_waiting, holding, '
    'deadline_seconds, deadline_event, place), update (deadline_seconds)', 'table makegood.machine_state'),
  (array['worker'], 'insert (type, version, event, from_state, to_state, place, money, opens_attempt, '
    'verdicts, evidence_always)', 'table makegood.machine_edge'),

  (array['worker', 'api'], 'execute', 'function makegood.insert_jobs, makegood.move_jobs, '
    'makegood.receive_hints, makegood.hear_of_task, makegood.begin_upload, makegood.drop_upload, '
    'makegood.keep_upload, makegood.name_upload'),
  (array['worker'], 'execute', 'function makegood.keep_evidence, makegood.record_facts, makegood.intend_attempts, '
    'makegood.grant_credits, makegood.grant_unlimited, makegood.start_cycle, makegood.charge_back, '
    'makegood.expire_credits, makegood.place_history, makegood.adopt_hints, makegood.sweep_hints, '
    'makegood.lock_pool, makegood.take_waiting, makegood.leave_worker, makegood.forget_workers, '
    'makegood.forget_uploads, '
    'makegood.make_deliveries, makegood.take_deliveries, makegood.end_try, makegood.disable_endpoint, makegood.remove_endpoint, '
    'makegood.forget_deliveries')
) as list (kinds, privilege, object) cross join unnest(kinds) as kind;

-- Take from a role all rights in this schema. Called by the owner and by grant_rights.
create function makegood.revoke_rights(p_role name) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select 1 from pg_roles where rolname = p_role) then
    raise exception 'there is no role "%": create it first', p_role using errcode = '42704';
  end if;
  lock table makegood.granted in share row exclusive mode;  -- two at once would meet in the catalog
  execute format('revoke all on all tables in schema makegood from %I', p_role);
  execute format('revoke all on all sequences in schema makegood from %I', p_role);
  execute format('revoke all on all functions in schema makegood from %I', p_role);
  execute format('revoke all on schema makegood from %I', p_role);
  delete from makegood.granted where role = quote_ident(p_role)::regrole;
end $$;

-- Give a role the rights of one kind in this database, instead of those it had. Called by the owner.
create function makegood.grant_rights(p_role name, p_kind text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  line record;
begin
  if p_kind is null or p_kind not in ('worker', 'api', 'readonly') then
    raise exception 'there are no rights of kind "%": it is worker, api or readonly', p_kind
      using errcode = '22023';
  end if;
  perform makegood.revoke_rights(p_role);
  for line in select privilege, object from makegood.kind_right where kind = p_kind loop
    execute format('grant %s on %s to %I', line.privilege, line.object, p_role);
  end loop;
  insert into makegood.granted (role, kind) values (quote_ident(p_role)::regrole, p_kind);
end $$;

-- Give every role its kind again, with what a migration has added. Called by migrate.
create function makegood.renew_rights() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  line record;
begin
  delete from makegood.granted g where not exists (select 1 from pg_roles r where r.oid = g.role);
  for line in select r.rolname, g.kind from makegood.granted g join pg_roles r on r.oid = g.role loop
    perform makegood.grant_rights(line.rolname, line.kind);
  end loop;
end $$;

-- What a role may not write or call itself, the ledger and the referee do for it as the owner.
alter function makegood.attempt_opens security definer;
alter function makegood.attempt_belongs security definer;
alter function makegood.attempt_guard security definer;
alter function makegood.evidence_fits security definer;
alter function makegood.lock_pool security definer;
alter function makegood.take_waiting security definer;
alter function makegood.leave_worker security definer;
alter function makegood.forget_workers security definer;
alter function makegood.begin_upload security definer;
alter function makegood.drop_upload security definer;
alter function makegood.keep_upload security definer;
alter function makegood.name_upload security definer;
alter function makegood.forget_uploads security definer;

-- Functions belong to nobody but the owner: by default every role might call them.
revoke execute on all functions in schema makegood from public;
grant execute on function makegood.now() to public;  -- column defaults call it
