-- Take back what a payment has brought, once. Called by Ledger.charge_back.
select makegood.charge_back($1, $2, $3) as taken
