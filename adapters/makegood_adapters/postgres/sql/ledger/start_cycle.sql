-- Begin a plan's next cycle, once. Called by Ledger.start_cycle.
select makegood.start_cycle($1, $2, $3, $4, $5, $6, $7, $8, $9) as started
