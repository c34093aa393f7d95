-- Return what this user lacks of the rights of a worker. Called by the doctor.
with line as (
  select word[1] as privilege, word[2] is not null as of_columns, split_part(object, ' ', 1) as what,
         trim(unnest(string_to_array(substr(object, strpos(object, ' ') + 1), ','))) as name
  from makegood.kind_right, regexp_matches(privilege, '([a-z]+)( \([^)]*\))?', 'g') word
  where 'worker' = kind
)
select privilege || ' on ' || name as lacking from line
where not case what
  when 'schema' then has_schema_privilege(name, privilege)
  when 'function' then coalesce((
    select bool_and(has_function_privilege(p.oid, 'execute')) from pg_proc p
    where p.pronamespace = 'makegood'::regnamespace and 'makegood.' || p.proname = name), true)
  when 'table' then case when of_columns
    then has_any_column_privilege(name, privilege) else has_table_privilege(name, privilege) end
  else true end
order by 1
