-- Keep a message that names only a task, for its attempts or until one has it. Called by Hints.hear.
select makegood.hear_of_task($1, $2, $3, $4, $5, $6, $7, $8) as receipt
