-- Remove rows of processes that were not seen for long. Called by Workers.forget.
select makegood.forget_workers($1, $2) as forgotten
