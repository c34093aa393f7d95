-- List the events that may leave a job's state. Called to explain a refusal.
select e.event
from makegood.job j join makegood.machine_edge e
  on e.type = j.type and e.version = j.type_version and e.from_state = j.state
where j.job_id = $1 order by e.place
