-- Forget an endpoint. Called by Endpoints.remove.
select makegood.remove_endpoint($1) as done
