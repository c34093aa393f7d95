// Who waits, in the order of the queue.
import { Card, Choice, html, navigate, plural, seconds, Table, time, use, useGet, useParams }
  from './tables.js';
import { overview } from './overview.js';

const starts = ({ held_back: held, not_before: at, wait_seconds: wait }) => (held
  ? html`<span class="warn">${held}</span>` : at ? `not before ${time(at)}` : seconds(wait) || 'not known');
const COLUMNS = [['#', ({ position }) => position], 'id', 'owner',
  ['waited', (job) => seconds(job.waited_seconds)], ['starts in about', starts]];

export function Queue() {
  const { pool } = useParams();
  const told = useGet('/operations/queue', { pool, limit: 8 }, 4);
  const lanes = use(overview).data?.lanes.filter((lane) => !pool || lane.pool === pool);
  const sum = (what) => lanes.reduce((n, lane) => n + lane[what], 0);
  const { jobs, pools = [] } = told.data ?? {};
  return html`<${Card} id="queue" title="Queue" told=${told} side=${html`<span class="dim">${lanes
      && `${sum('waiting')} waiting${sum('parked') ? `, ${sum('parked')} not yet due` : ''}`}</span>
    <${Choice} label="Pool" value=${pool ?? ''} choose=${(name) => navigate({ pool: name })}
      options=${pools[1] ? [['', 'all pools'], ...pools.map((p) => [p, p])] : []}/>`}>
    ${jobs?.length > 0 ? html`<${Table} title="The next ${plural(jobs.length, 'job')}, in order"
      cols=${COLUMNS} rows=${jobs}/>` : jobs && html`<p class="empty">Nobody waits.</p>`}<//>`;
}
