-- Read the file that stands under a name of the owner's. Called by Uploads.named.
select u.owner_id, u.key, u.kind, u.size, u.brought_at
from makegood.upload_name n join makegood.upload u using (owner_id, key)
where n.owner_id = $1 and n.name = $2
