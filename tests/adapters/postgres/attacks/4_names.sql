-- Through functions and names

-- JRRR issue credits by the ledger's function
SELECT makegood.grant_credits('{owner}', 'gift', 5, 'eve', 1, NULL, 'eve');

-- JRRR take a payment back by the ledger's function
SELECT makegood.charge_back(owner_id, source_ref, 'eve') FROM makegood.bucket WHERE owner_id = '{owner}';

-- RRRR call a function that the ledger keeps to itself
SELECT makegood.refuse_short(array['{pending}'::uuid], now());

-- HRRR expire what is not due
SELECT makegood.expire_credits(9);

-- RRRR hold credits by a call
SELECT makegood.hold_credits(array['{pending}'::uuid]);

-- RRRR settle credits by a call
SELECT makegood.settle_credits(array['{queued}'::uuid]);

-- RRRR settle credits by a call from a trigger of one's own
CREATE TEMP TABLE mine (n int);
CREATE FUNCTION pg_temp.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM
  makegood.settle_credits(array['{queued}'::uuid]); RETURN NULL; END $$;
CREATE TRIGGER acts AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pg_temp.act();
INSERT INTO mine VALUES (1);

-- RRRR hang the referee's own function on a table of one's own
CREATE TEMP TABLE mine (job_id uuid, moved bool, money text);
CREATE TRIGGER acts AFTER INSERT ON mine REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE
  FUNCTION makegood.job_after();
INSERT INTO mine VALUES ('{queued}', true, 'release');

-- RRRR give oneself rights
SELECT makegood.grant_rights(current_user, 'worker');

-- RRRR become the owner
DO $$ BEGIN EXECUTE format('SET ROLE %I', (SELECT nspowner::regrole::text FROM pg_namespace WHERE
  nspname = 'makegood')); END $$;

-- JJRR a sum() of one's own that is always nothing
CREATE SCHEMA evil;
CREATE FUNCTION evil.nothing(numeric, bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT
  0::numeric';
CREATE AGGREGATE evil.sum(bigint) (sfunc = evil.nothing, stype = numeric, initcond = '0');
SET search_path = evil, pg_catalog;
UPDATE makegood.job SET state = 'queued' WHERE job_id = '{pending}';

-- JJRR a minus of one's own that takes nothing away
CREATE SCHEMA evil;
CREATE FUNCTION evil.stay(bigint, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE OPERATOR evil.- (leftarg = bigint, rightarg = bigint, function = evil.stay);
SET search_path = evil, pg_catalog;
UPDATE makegood.job SET state = 'queued' WHERE job_id = '{pending}';

-- JJRR temporary tables and a clock with the names of the ledger's
CREATE TEMP TABLE bucket (LIKE makegood.bucket);
CREATE TEMP TABLE hold (LIKE makegood.hold);
CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '2000-01-01' $$;
SET search_path = pg_temp, pg_catalog;
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{queued}';

-- RRRR a cast of one's own
CREATE FUNCTION public.none(text) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
CREATE CAST (text AS bigint) WITH FUNCTION public.none(text) AS IMPLICIT;

-- RRRR replace the clock
CREATE OR REPLACE FUNCTION makegood.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz
  '2000-01-01' $$;

-- RRRR a function of one's own in the schema
CREATE FUNCTION makegood.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';

-- RRRR replace the referee
CREATE OR REPLACE FUNCTION makegood.job_before() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW;
END';

-- JJRR settings that change how SQL is read
SET transform_null_equals = on;
SET array_nulls = off;
SET search_path = '';
UPDATE makegood.job SET state = 'failed' WHERE job_id = '{queued}';

-- JRRR move a job with evidence of one's own by the store's function
SELECT makegood.move_jobs(array[job_id], array[version], array[state], array[intent_attempt], array[false],
  array['fail'], array['failed'], array[gen_random_uuid()], array['eve'], array[null], array[null::bigint],
  array[null], array[null], array[null::double precision], array[null], json_build_array(json_build_object(
  'job_id', job_id, 'attempt', 1, 'verdict', 'failed', 'final', true, 'source', 'eve', 'task_id', null,
  'detail', json_build_object(), 'outputs', json_build_array()))::text, true)
FROM makegood.job WHERE job_id = '{running}';
