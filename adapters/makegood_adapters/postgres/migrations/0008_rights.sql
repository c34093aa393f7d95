-- Functions belong to nobody but the owner: by default every role might call them.

revoke execute on all functions in schema makegood from public;
grant execute on function makegood.now() to public;  -- column defaults call it
