-- Keep what came of a try. Called by Deliveries.ended.
select makegood.end_try($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as ours
