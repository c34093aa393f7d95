-- Make one machine known. Called by declare.
insert into makegood.machine (type, version, digest) values ($1, $2, $3)
on conflict (type, version) do nothing
