-- Keep providers' messages, once, and make their attempts due. Called by Hints.receive and Hints.take_in.
select hash, job, attempt_number, at_account, kept from makegood.receive_hints($1, $2, $3, $4, $5, $6)
