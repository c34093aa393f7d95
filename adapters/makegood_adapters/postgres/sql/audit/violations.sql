-- List every invariant with the number of its violations and the first of them. Called by Store.audit.
select i.code, coalesce(v.found, 0) as found, v.subject, v.owner_id, v.job_id
from makegood.invariant i
left join (
  select code, subject, owner_id, job_id, count(*) over (partition by code) as found,
         row_number() over (partition by code order by subject) as place
  from makegood.violation) v on v.code = i.code
where v.place is null or v.place <= greatest($1::integer, 1)
order by i.place, v.place
