-- Count the open attempts of each provider account. Called by makegood doctor.
select account, count(*) as tasks from makegood.attempt where closed_at is null group by account
