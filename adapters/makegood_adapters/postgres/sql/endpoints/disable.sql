-- Let an endpoint hear nothing more. Called by Endpoints.disable.
select makegood.disable_endpoint($1, $2, $3) as done
