-- Read which place was given last. Called by Stream.last.
select place from makegood.stream
