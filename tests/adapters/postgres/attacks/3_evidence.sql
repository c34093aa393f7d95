-- Through evidence, attempts and slots

-- JRRR say that the provider failed, and refund the job
INSERT INTO makegood.evidence (job_id, attempt, verdict, source) VALUES ('{running}', 1, 'failed',
  'eve');
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{running}';

-- JRRR say that an administrator decided, and refund the job
INSERT INTO makegood.evidence (job_id, attempt, verdict, source) VALUES ('{running}', 1,
  'administrator', 'eve');
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{running}';

-- RRRR say that an attempt that was never submitted succeeded
INSERT INTO makegood.evidence (job_id, attempt, verdict, source) VALUES ('{unsent}', 1, 'succeeded',
  'eve');

-- RRRR change or DELETE evidence
UPDATE makegood.evidence SET verdict = 'failed';

-- RRRR TRUNCATE evidence
TRUNCATE makegood.evidence;

-- RRRR end an attempt without evidence, and so free its slot
UPDATE makegood.attempt SET phase = 'closed', closed_at = now() WHERE job_id = '{running}';

-- RRRR the same by a trigger on a table of one's own
CREATE TEMP TABLE mine (n int);
CREATE FUNCTION pg_temp.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE makegood.attempt SET
  phase = 'closed', closed_at = now() WHERE job_id = '{running}'; RETURN NULL; END $$;
CREATE TRIGGER acts AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pg_temp.act();
INSERT INTO mine VALUES (1);

-- RRRR give an attempt a verdict without evidence
UPDATE makegood.attempt SET verdict = 'failed' WHERE job_id = '{running}';

-- RRRR let an attempt drain for ever
UPDATE makegood.attempt SET draining_until = 'infinity' WHERE job_id = '{running}';

-- RRRR the same by a trigger on a table of one's own
CREATE TEMP TABLE mine (n int);
CREATE FUNCTION pg_temp.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE makegood.attempt SET
  draining_until = 'infinity'; RETURN NULL; END $$;
CREATE TRIGGER acts AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pg_temp.act();
INSERT INTO mine VALUES (1);

-- RRRR take back the intent of an attempt
UPDATE makegood.attempt SET intent_at = NULL WHERE job_id = '{running}';

-- RRRR give an attempt another task
UPDATE makegood.attempt SET task_id = 'mine' WHERE job_id = '{running}';

-- RRRR DELETE an attempt
DELETE FROM makegood.attempt;

-- RRRR move a job into a slot without an attempt
UPDATE makegood.job SET state = 'starting', attempt = 1 WHERE job_id = '{queued}';

-- RRRR open an attempt and leave its job behind
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO makegood.attempt (job_id, number, account) VALUES ('{queued}', 1, '{account}');
COMMIT;

-- RRRR open an attempt with an old snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO makegood.attempt (job_id, number, account) VALUES ('{queued}', 1, '{account}');
UPDATE makegood.job SET state = 'starting', attempt = 1 WHERE job_id = '{queued}';
COMMIT;

-- HRRR give a provider account more slots
UPDATE makegood.provider_account SET configured = 99;

-- HHRR put a message of the provider into the inbox
INSERT INTO makegood.inbox (job_id, attempt, source, digest, body) VALUES ('{running}', 1, 'webhook',
  '', 'done');

-- HRRR mark announcements as delivered
UPDATE makegood.outbox SET done_at = now();

-- RRRR write a line of the history
INSERT INTO makegood.history (job_id, version, operation_id, owner_id, type, event, to_state, actor,
  attempt) VALUES ('{queued}', 9, gen_random_uuid(), 'ada', 't', 'fail', 'failed', 'eve', 0);

-- RRRR change a line of the history
UPDATE makegood.history SET actor = 'ada';

-- RRRR DELETE announcements
DELETE FROM makegood.outbox;

-- HHRR read the hashes of webhook tokens
SELECT token_hash FROM makegood.attempt;
