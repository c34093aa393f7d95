-- Name every job type that was ever declared, with its versions. Called by Store.declared.
select type, version from makegood.machine order by type, version
