-- Tell the time, and which place of the stream was given last. Called by Oversight.overview.
select makegood.now() as at, place from makegood.stream
