-- Learn from what has ended, and mark long queues, if it is time again. Called by Queue.reckon.
select makegood.reckon($1, $2, $3, $4, $5) as done
