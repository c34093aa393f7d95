// The jobs: search, filters and page in the address; rows change in place, new ones are offered.
import { Job } from './job.js';
import { overview } from './overview.js';
import { ago, Card, Filter, html, Link, navigate, onSteps, Pages, Pill, Table, use, useEffect, useGet,
  useMemo, useParams, useState } from './tables.js';

const NAMES = ['search', 'state', 'type', 'owner', 'active', 'since', 'after'];
const NEVER = 3e5;

function asked(url) {
  const given = Object.fromEntries(NAMES.map((name) => [name, url[name]]));
  const hours = /^(\d{1,4})h$/.exec(url.since)?.[1];
  return hours ? { ...given, since: new Date(Date.now() - hours * 36e5).toISOString() } : given;
}

// Whether a step may bring a job on the list.
const brings = (step, { after, search, active, state, type = step.type, owner = step.owner }) => !after
  && !search && type === step.type && owner === step.owner
  && (state ? state === step.to_state : active === 'false' ? step.money : !step.from_state);

// Let the rows follow the stream; tells how many jobs it has brought.
function useFresh(url, { data, again }) {
  const [[fresh], bring] = useState([0]);
  useEffect(() => {
    const ids = new Set();
    bring([0]);
    return data && onSteps((steps) => {
      for (const step of steps) {
        const job = data.jobs.find((each) => each.id === step.job_id);
        const { version, attempt, to_state: state } = step;
        if (version > job?.version) Object.assign(job, { version, attempt, state, status: state });
        else if (!job && brings(step, url)) ids.add(step.job_id);
      }
      if (ids.size && !data.jobs.length) again();
      bring([ids.size]);
    });
  }, [data]);
  return fresh;
}

const COLUMNS = ['id', ['state', (job) => html`<${Pill} ...${job}/> ${job.draft && 'draft'}`], 'type',
  'owner', 'price', ['age', (job) => ago(job.created_at)], 'attempt'];

// The list, and beside it the job that the address names.
export function Jobs() {
  const url = useParams();
  const list = NAMES.map((name) => url[name]);
  const some = list.some(Boolean);
  const got = useGet('/operations/jobs', useMemo(() => asked(url), list), NEVER);
  const types = use(overview).data?.types ?? [];
  const fresh = useFresh(url, got);
  const choices = { active: ['true', 'false'], since: ['1h', '24h', '168h'], type: types.map((t) => t.name),
    state: types.flatMap(({ states, ended }) => Object.keys({ ...states, ...ended })) };
  const side = html`<span role="status">
    ${fresh > 0 && html`<button onClick=${got.again}>${fresh} new</button>`}</span>
    ${some && html`<${Link} to=${{ view: url.view, job: url.job }}>Show all<//>`}`;
  // The link in a row is the way for keys; the row only makes it larger.
  const row = ({ id }) => ({ key: id, 'aria-current': id === url.job || null,
    onClick: (event) => event.target.closest('a') || `${getSelection()}` || navigate({ job: id }) });
  const { jobs, next } = got.data ?? {};
  return html`<div class=${url.job && 'split'}><div class="jobs">
    <${Card} title="Jobs" id="jobs" told=${got} side=${side}><div class="row filters">
    ${NAMES.slice(0, 6).map((name) => html`<${Filter} name=${name} options=${choices[name]}/>`)}</div>
    <${Table} title="Jobs, newest first" cols=${COLUMNS} rows=${jobs} row=${row}
      none=${some ? 'No job is like that.' : 'No jobs yet.'}/><${Pages} next=${next}/><//></div>
    ${url.job && html`<${Job} key=${url.job} id=${url.job}/>`}</div>`;
}
