-- Read the only time that counts. Called by Store.now.
select makegood.now() as now
