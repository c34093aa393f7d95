-- Through the schema and the machines

-- RRRR switch the triggers off for a session
SET session_replication_role = replica;
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{queued}';

-- RRRR disable a trigger
ALTER TABLE makegood.job DISABLE TRIGGER job_before;

-- RRRR drop a trigger
DROP TRIGGER job_before ON makegood.job;

-- RRRR a trigger of one's own on the jobs
CREATE FUNCTION public.skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL;
END';
CREATE TRIGGER a BEFORE INSERT ON makegood.hold FOR EACH ROW EXECUTE FUNCTION public.skip();

-- RRRR a rule of one's own on the jobs
CREATE RULE a AS ON UPDATE TO makegood.job DO INSTEAD NOTHING;

-- RRRR an event trigger
CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER a ON ddl_command_end EXECUTE FUNCTION public.watch();

-- RRRR drop a constraint of the buckets
ALTER TABLE makegood.bucket DROP CONSTRAINT conserved;

-- RRRR hide rows by row security
ALTER TABLE makegood.journal ENABLE ROW LEVEL SECURITY;

-- RRRR a table that inherits from the buckets
CREATE TABLE public.more () INHERITS (makegood.bucket);

-- RRRR replace or drop the audit
CREATE OR REPLACE VIEW makegood.violation AS SELECT ''::text AS invariant, ''::text AS subject;
DROP VIEW makegood.violation;

-- RRRR take the schema over
DO $$ BEGIN EXECUTE format('ALTER SCHEMA makegood OWNER TO %I', current_user); END $$;

-- RRRR make oneself a superuser
DO $$ BEGIN EXECUTE format('ALTER ROLE %I SUPERUSER', current_user); END $$;

-- RRRR reach the server's files
COPY (SELECT 1) TO PROGRAM 'true';

-- RRRR add an edge to a declared machine
INSERT INTO makegood.machine_edge (type, version, event, from_state, to_state, place, money,
  opens_attempt, evidence_always) VALUES ('contract_plain', 1, 'steal', 'queued', 'completed', 99,
  'capture', false, false);

-- RRRR change an edge of a declared machine
UPDATE makegood.machine_edge SET verdicts = NULL;

-- RRRR DELETE an edge
DELETE FROM makegood.machine_edge;

-- RRRR make a state final, or another one's money
UPDATE makegood.machine_state SET is_terminal = true, holding = 'none';

-- HRRR change a deadline
UPDATE makegood.machine_state SET deadline_seconds = 5 WHERE NOT is_terminal;

-- HRRR change what the outside sees of a state
UPDATE makegood.machine_state SET public_status = 'running' WHERE NOT is_terminal;

-- RRRR declare a machine that ends with credits held
BEGIN;
INSERT INTO makegood.machine (type, version, digest) VALUES ('evil', {number}, '');
INSERT INTO makegood.machine_state (type, version, name, is_initial, is_terminal, is_slot, is_waiting,
  holding, deadline_seconds, place) VALUES ('evil', {number}, 'new', true, false, false, false, 'none', 60, 1),
  ('evil', {number}, 'paid', false, false, false, false, 'held', 60, 2), ('evil', {number}, 'failed', false, true,
  false, false, 'over', NULL, 3);
INSERT INTO makegood.machine_edge (type, version, event, from_state, to_state, place, money,
  opens_attempt, evidence_always) VALUES ('evil', {number}, 'pay', 'new', 'paid', 1, 'hold', false, false),
  ('evil', {number}, 'lose', 'paid', 'failed', 2, 'none', false, false);
COMMIT;

-- RRRR declare a machine whose failure keeps the credits
BEGIN;
INSERT INTO makegood.machine (type, version, digest) VALUES ('evil', {number}, '');
INSERT INTO makegood.machine_state (type, version, name, is_initial, is_terminal, is_slot, is_waiting,
  holding, deadline_seconds, place) VALUES ('evil', {number}, 'new', true, false, false, false, 'none', 60, 1),
  ('evil', {number}, 'paid', false, false, false, false, 'held', 60, 2), ('evil', {number}, 'failed', false, true,
  false, false, 'over', NULL, 3);
INSERT INTO makegood.machine_edge (type, version, event, from_state, to_state, place, money,
  opens_attempt, evidence_always) VALUES ('evil', {number}, 'pay', 'new', 'paid', 1, 'hold', false, false),
  ('evil', {number}, 'lose', 'paid', 'failed', 2, 'capture', false, false);
COMMIT;

-- RRRR declare a machine that captures what was never held
BEGIN;
INSERT INTO makegood.machine (type, version, digest) VALUES ('evil', {number}, '');
INSERT INTO makegood.machine_state (type, version, name, is_initial, is_terminal, is_slot, is_waiting,
  holding, deadline_seconds, place) VALUES ('evil', {number}, 'new', true, false, false, false, 'none', 60, 1),
  ('evil', {number}, 'paid', false, false, false, false, 'held', 60, 2), ('evil', {number}, 'failed', false, true,
  false, false, 'over', NULL, 3);
INSERT INTO makegood.machine_edge (type, version, event, from_state, to_state, place, money,
  opens_attempt, evidence_always) VALUES ('evil', {number}, 'steal', 'new', 'failed', 1, 'capture', false,
  false);
COMMIT;

-- HRRR declare a machine, complete in itself
BEGIN;
INSERT INTO makegood.machine (type, version, digest) VALUES ('evil', {number}, '');
INSERT INTO makegood.machine_state (type, version, name, is_initial, is_terminal, is_slot, is_waiting,
  holding, deadline_seconds, place) VALUES ('evil', {number}, 'new', true, false, false, false, 'none', 60, 1),
  ('evil', {number}, 'paid', false, false, false, false, 'held', 60, 2), ('evil', {number}, 'failed', false, true,
  false, false, 'over', NULL, 3);
INSERT INTO makegood.machine_edge (type, version, event, from_state, to_state, place, money,
  opens_attempt, evidence_always) VALUES ('evil', {number}, 'pay', 'new', 'paid', 1, 'hold', false, false),
  ('evil', {number}, 'fail', 'paid', 'failed', 2, 'release', false, false);
COMMIT;

-- JRRR declare a machine that asks nobody, order in somebody's name, charge for nothing
BEGIN;
INSERT INTO makegood.machine (type, version, digest) VALUES ('evil', {number}, '');
INSERT INTO makegood.machine_state (type, version, name, is_initial, is_terminal, is_slot, is_waiting,
  holding, deadline_seconds, place) VALUES ('evil', {number}, 'new', true, false, false, false, 'none', 60, 1),
  ('evil', {number}, 'paid', false, false, false, false, 'held', 60, 2),
  ('evil', {number}, 'done', false, true, false, false, 'over', NULL, 3);
INSERT INTO makegood.machine_edge (type, version, event, from_state, to_state, place, money,
  opens_attempt, evidence_always) VALUES ('evil', {number}, 'pay', 'new', 'paid', 1, 'hold', false, false),
  ('evil', {number}, 'end', 'paid', 'done', 2, 'capture', false, false);
COMMIT;
INSERT INTO makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price, input, request,
  attempts_max) SELECT gen_random_uuid(), '{owner}', 'evil', {number}, 'pool', 'new', 'eve', 70, '{}', '{}', 3;
UPDATE makegood.job SET state = 'paid' WHERE type = 'evil' AND state = 'new';
UPDATE makegood.job SET state = 'done', output = '{}' WHERE type = 'evil' AND state = 'paid';
