-- Let an overdue job that was taken come again at once. Called by Jobs.hand_back.
update makegood.job set watched_until = null where job_id = $1 and watched_until > makegood.now()
