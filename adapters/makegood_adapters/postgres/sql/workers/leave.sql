-- Remove the row of a process that ends in order. Called by Workers.leave.
select makegood.leave_worker($1)
