-- Make one machine known, unless somebody has. Called by declare.
insert into makegood.machine (type, version, digest) values ($1, $2, $3)
on conflict (type, version) do nothing
returning digest
