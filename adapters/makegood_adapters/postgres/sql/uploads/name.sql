-- Let a name of the owner's stand for a file, or say that it stands for another. Called by Uploads.keep.
select makegood.name_upload($1, $2, $3, $4) as named
