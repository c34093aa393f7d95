-- Make deliveries of the next places of the stream. Called by Deliveries.fan_out.
select places, deliveries, listeners from makegood.make_deliveries($1)
