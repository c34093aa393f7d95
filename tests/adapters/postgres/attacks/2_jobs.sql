-- Through the jobs

-- JJRR end a waiting job: the legal way by raw SQL
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{queued}';

-- JJRR end many jobs at once
UPDATE makegood.job SET state = 'failed' WHERE state IN ('pending', 'queued');

-- JJRR end it through a view of one's own
CREATE TEMP VIEW mine AS SELECT * FROM makegood.job;
UPDATE mine SET state = 'failed' WHERE job_id = '{queued}';

-- JJRR end it by MERGE
MERGE INTO makegood.job j USING (SELECT 1) one ON j.job_id = '{queued}' WHEN MATCHED THEN UPDATE SET
  state = 'failed';

-- JJRR end it by ON CONFLICT DO UPDATE
INSERT INTO makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price, input,
  request, attempts_max) SELECT '{queued}', '{owner}', 'contract_plain', 1, 'pool', 'pending', 'eve', 1,
  '{}', '{}', 3 ON CONFLICT (job_id) DO UPDATE SET state = 'failed';

-- JJRR end it twice in one statement
WITH one AS (UPDATE makegood.job SET state = 'failed' WHERE job_id = '{queued}' RETURNING job_id) UPDATE
  makegood.job SET state = 'cancelled' WHERE job_id = '{queued}';

-- JJRR end it by a trigger on a table of one's own
CREATE TEMP TABLE mine (n int);
CREATE FUNCTION pg_temp.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE makegood.job SET state
  = 'failed' WHERE job_id = '{queued}'; RETURN NULL; END $$;
CREATE TRIGGER acts AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pg_temp.act();
INSERT INTO mine VALUES (1);

-- HHRR end it and roll back to a savepoint
BEGIN;
SAVEPOINT s;
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{queued}';
ROLLBACK TO s;
COMMIT;

-- JJRR end it, let a block fail, end it in another way
DO $$ BEGIN BEGIN UPDATE makegood.job SET state = 'failed' WHERE job_id = '{queued}'; RAISE
  division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END; UPDATE makegood.job SET state =
  'cancelled' WHERE job_id = '{queued}'; END $$;

-- JJRR end it with all constraints deferred
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{queued}';
COMMIT;

-- JJRR end it in a serializable transaction with an old snapshot
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT 1;
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{queued}';
COMMIT;

-- RRRR end it and PREPARE the transaction
BEGIN;
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{queued}';
PREPARE TRANSACTION 'eve';

-- RRRR end it and keep the credits, by the column that says so
UPDATE makegood.job SET state = 'failed', money = 'none' WHERE job_id = '{queued}';

-- RRRR complete a job without evidence
UPDATE makegood.job SET state = 'completed', output = '{}', operation_id = gen_random_uuid(), event =
  'complete' WHERE job_id = '{running}';

-- RRRR fail a job that the provider works on
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{running}';

-- RRRR deny its submission first
UPDATE makegood.job SET intent_attempt = NULL WHERE job_id = '{running}';

-- RRRR name another event than the state's
UPDATE makegood.job SET state = 'failed', event = 'accept', operation_id = gen_random_uuid() WHERE
  job_id = '{queued}';

-- RRRR use an operation id again
UPDATE makegood.job SET state = 'failed', event = 'fail', operation_id = (SELECT operation_id FROM
  makegood.history LIMIT 1) WHERE job_id = '{queued}';

-- RRRR capture more than the price
UPDATE makegood.job SET state = 'completed', settled = 1000000, output = '{}', event = 'complete',
  operation_id = gen_random_uuid() WHERE job_id = '{done}';

-- JJRR capture less than the price of a job that succeeded
UPDATE makegood.job SET state = 'completed', settled = 1, output = '{}', event = 'complete',
  operation_id = gen_random_uuid() WHERE job_id = '{done}';

-- RRRR settle a job without a move
UPDATE makegood.job SET settled = 0 WHERE job_id = '{queued}';

-- RRRR lower the price of a job
UPDATE makegood.job SET price = 1 WHERE job_id = '{queued}';

-- RRRR give a job to another owner
UPDATE makegood.job SET owner_id = 'eve' WHERE job_id = '{queued}';

-- RRRR give it another type, version or request
UPDATE makegood.job SET type = 'contract_reviewed', type_version = 2, request = '{}' WHERE job_id =
  '{queued}';

-- RRRR write what the referee writes
UPDATE makegood.job SET version = 99, deadline_at = NULL, waiting = false, slot = true WHERE job_id =
  '{queued}';

-- RRRR bring back a job that is over
UPDATE makegood.job SET state = 'queued' WHERE state = 'failed';

-- RRRR insert a job that is queued already
INSERT INTO makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price, input,
  request, attempts_max) SELECT gen_random_uuid(), '{owner}', 'contract_plain', 1, 'pool', 'queued',
  'eve', 70, '{}', '{}', 3;

-- RRRR insert a job that is completed already
INSERT INTO makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price, input,
  request, attempts_max) SELECT gen_random_uuid(), '{owner}', 'contract_plain', 1, 'pool', 'completed',
  'eve', 70, '{}', '{}', 3;

-- RRRR insert a job with a price below nothing
INSERT INTO makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price, input,
  request, attempts_max) SELECT gen_random_uuid(), '{owner}', 'contract_plain', 1, 'pool', 'pending',
  'eve', -70, '{}', '{}', 3;

-- RRRR insert a job that claims to be settled
INSERT INTO makegood.job(settled, job_id, owner_id, type, type_version, pool, state, actor, price,
  input, request, attempts_max) SELECT 0, gen_random_uuid(), '{owner}', 'contract_plain', 1, 'pool',
  'pending', 'eve', 70, '{}', '{}', 3;

-- JJRR order in somebody's name at a price of one's own, and accept it
INSERT INTO makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price, input,
  request, attempts_max) SELECT gen_random_uuid(), '{owner}', 'contract_plain', 1, 'pool', 'pending',
  'eve', 70, '{}', '{}', 3;
UPDATE makegood.job SET state = 'queued' WHERE owner_id = '{owner}' AND price = 70;

-- RRRR DELETE a job
DELETE FROM makegood.job;

-- RRRR TRUNCATE jobs, attempts and history
TRUNCATE makegood.job, makegood.attempt, makegood.history CASCADE;
