-- Note that a provider told nothing of an account. Called by Accounts.unanswered.
update makegood.provider_account set failures = failures + 1, last_error = $2 where name = $1
