-- Look once more at what was parked, and delete what is too old. Called by Hints.sweep.
select adopted, expired from makegood.sweep_hints($1, $2, $3)
