-- Delete old deliveries that are over. Called by Deliveries.forget.
select makegood.forget_deliveries($1, $2) as forgotten
