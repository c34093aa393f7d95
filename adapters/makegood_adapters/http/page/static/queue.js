// Who waits, in the order of the queue.
import { useGet } from './api.js';
import { plural, seconds, short, time } from './format.js';
import { overview } from './overview.js';
import { Card, Choice } from './parts.js';
import { Link, navigate, useParams } from './route.js';
import { use } from './signal.js';
import { Table } from './tables.js';
import { html } from './vendor/preact.js';

const COLUMNS = [
  ['#', ({ position }) => position],
  ['job', ({ id }) => html`<${Link} to=${{ job: id }} title=${id}>${short(id)}<//>`],
  'owner',
  ['waited', (job) => seconds(job.waited_seconds)],
  ['starts in about', ({ held_back: held, not_before: at, wait_seconds: wait }) => (held
    ? html`<span class="warn">${held}</span>` : at ? `not before ${time(at)}` : seconds(wait) || 'not known')],
];

export function Queue() {
  const { pool } = useParams();
  const told = useGet('/operations/queue', { pool, limit: 8 }, 4);
  const lanes = (use(overview).data?.lanes ?? []).filter((lane) => !pool || lane.pool === pool);
  const [waiting, parked] = ['waiting', 'parked'].map((what) => lanes.reduce((n, lane) => n + lane[what], 0));
  const { jobs = [], pools = [] } = told.data ?? {};
  const side = html`<span class="dim">${waiting} waiting${parked > 0 && `, ${parked} held back`}</span>
    <${Choice} label="Pool" value=${pool ?? ''}
      options=${pools[1] ? [['', 'all pools'], ...pools.map((p) => [p, p])] : []} choose=${(name) => navigate({ pool: name })}/>`;
  return html`<${Card} id="queue" title="Queue" told=${told} side=${side}>
    ${told.data && !jobs[0] && html`<p class="empty">Nobody waits.</p>`}
    ${jobs[0] && html`<${Table} title=${`The next ${plural(jobs.length, 'job')}, in order`} cols=${COLUMNS}
      rows=${jobs}/>`}<//>`;
}
