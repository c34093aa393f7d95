-- Give committed transitions their places in the stream. Called by Stream.place.
select owner, steps from makegood.place_history($1)
