-- Leave the tables of jobs and money as autovacuum would. Called before a slice is measured.
vacuum (analyze) makegood.job, makegood.history, makegood.outbox, makegood.hold, makegood.journal, makegood.bucket,
                 makegood.wallet
