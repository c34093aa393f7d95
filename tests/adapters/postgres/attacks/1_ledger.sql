-- Writing the ledger

-- RRRR issue a bucket by INSERT
INSERT INTO makegood.bucket (owner_id, kind, priority, source_ref, issued, remaining) VALUES ('{owner}',
  'gift', 1, 'mine', 5, 5);

-- RRRR raise what remains in a bucket
UPDATE makegood.bucket SET issued = issued + 5, remaining = remaining + 5;

-- RRRR the same in a CTE that writes
WITH more AS (UPDATE makegood.bucket SET issued = issued + 5, remaining = remaining + 5 RETURNING 1)
  SELECT * FROM more;

-- RRRR the same by MERGE
MERGE INTO makegood.bucket b USING (SELECT 1) one ON b.owner_id = '{owner}' WHEN MATCHED THEN UPDATE SET
  remaining = remaining + 5, issued = issued + 5;

-- RRRR the same by ON CONFLICT DO UPDATE
INSERT INTO makegood.bucket (owner_id, kind, priority, source_ref, issued, remaining) SELECT owner_id,
  kind, priority, source_ref, 1, 1 FROM makegood.bucket ON CONFLICT (owner_id, source_ref) DO UPDATE SET
  remaining = bucket.remaining + 5, issued = bucket.issued + 5;

-- RRRR the same through a view of one's own
CREATE TEMP VIEW purse AS SELECT * FROM makegood.bucket;
UPDATE purse SET issued = issued + 5, remaining = remaining + 5;

-- RRRR the same by a rule on a table of one's own
CREATE TABLE public.ruled (n int);
CREATE RULE pays AS ON INSERT TO public.ruled DO ALSO UPDATE makegood.bucket SET issued = issued + 5,
  remaining = remaining + 5;
INSERT INTO public.ruled VALUES (1);

-- RRRR the same by a trigger on a table of one's own
CREATE TEMP TABLE mine (n int);
CREATE FUNCTION pg_temp.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE makegood.bucket SET
  issued = issued + 5, remaining = remaining + 5; RETURN NULL; END $$;
CREATE TRIGGER acts AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pg_temp.act();
INSERT INTO mine VALUES (1);

-- HHHH the same in a DO block that swallows errors
DO $$ BEGIN UPDATE makegood.bucket SET issued = issued + 5, remaining = remaining + 5; EXCEPTION WHEN
  OTHERS THEN NULL; END $$;

-- RRRR grant oneself the right first
DO $$ BEGIN EXECUTE format('GRANT UPDATE ON makegood.bucket TO %I', current_user); END $$;
UPDATE makegood.bucket SET issued = issued + 5, remaining = remaining + 5;

-- RRRR load a bucket by COPY
COPY makegood.bucket FROM STDIN;

-- RRRR DELETE a bucket
DELETE FROM makegood.bucket;

-- RRRR write a line of the journal
INSERT INTO makegood.journal (owner_id, seq, kind, bucket_id, amount, actor) VALUES ('{owner}', 99,
  'issue', {bucket}, 5, 'eve');

-- RRRR change a line of the journal
UPDATE makegood.journal SET amount = 1;

-- RRRR DELETE a line of the journal
DELETE FROM makegood.journal;

-- RRRR hold credits by INSERT
INSERT INTO makegood.hold (job_id, bucket_id, amount) VALUES ('{pending}', {bucket}, 5);

-- RRRR settle a hold by UPDATE
UPDATE makegood.hold SET captured = 0, released = amount;

-- RRRR DELETE a hold
DELETE FROM makegood.hold;

-- RRRR number the journal anew
UPDATE makegood.wallet SET seq = 0;

-- RRRR open or DELETE a wallet
INSERT INTO makegood.wallet (owner_id) VALUES ('eve');
DELETE FROM makegood.wallet;

-- RRRR lock wallets against the ledger
SELECT 1 FROM makegood.wallet FOR UPDATE;

-- RRRR LOCK TABLE
BEGIN;
LOCK TABLE makegood.job IN EXCLUSIVE MODE;
COMMIT;

-- RRRR TRUNCATE the ledger
TRUNCATE makegood.journal, makegood.bucket, makegood.hold, makegood.wallet CASCADE;
