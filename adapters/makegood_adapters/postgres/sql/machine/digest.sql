-- Read the stored rules' digest of one machine. Called by declare.
select digest from makegood.machine where type = $1 and version = $2
