-- Keep providers' messages, once, and make their attempts due. Called by Hints.receive.
select hash, job, attempt_number from makegood.receive_hints($1, $2, $3, $4, $5)
