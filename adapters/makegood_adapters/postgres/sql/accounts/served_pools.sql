-- Read which pools have an account that some worker had within the last hour. Called by Accounts.served_pools.
select distinct pool from makegood.provider_account where next_survey_at > makegood.now() - interval '1 hour'
