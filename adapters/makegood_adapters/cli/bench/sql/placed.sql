-- List the places of each owner's steps after one place. Called by `bench stream`.
select owner_id, array_agg(place order by place) as places
from makegood.placed where place > $1 group by owner_id
