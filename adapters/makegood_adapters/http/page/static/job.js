// One job: its way, attempts, files and money, and what can be done.
import { Files } from './files.js';
import { ActButton, back, clock, credits, Facts, Fold, html, navigate, now, Pill, REASON, seconds, short,
  Stale, Table, time, use, useEffect, useLive, useRef } from './tables.js';

function Bars({ bars, over }) {
  use(clock);
  const at = bars.map((bar) => (Date.parse(bar.from) - Date.parse(bars[0].from)) / 1000);
  const long = bars.map((bar) => (bar.to || over ? bar.seconds : (now() - Date.parse(bar.from)) / 1000));
  const whole = at.at(-1) + long.at(-1) || 1;
  const style = (i) => ({ left: `${(at[i] / whole) * 100}%`, width: `${(long[i] / whole) * 100}%` });
  return html`<h3>Its way: ${seconds(whole)}</h3><ol class="bars">${bars.map((bar, i) => html`<li>
    <${Pill} ...${bar}/><span class="track"><i class="state ${bar.status}" style=${style(i)}/></span>
    <b>${long[i] > 0 && seconds(long[i])}</b>
    <small>${time(bar.from)} ${bar.event} by <bdi>${bar.actor}</bdi>${
    bar.reason && html`: <bdi>${bar.reason}</bdi>`}</small></li>`)}</ol>
    <small>In proportion to time; the shortest are widened.</small>`;
}

const JOURNAL = ['kind', 'amount', 'bucket', 'balance', 'at'];
const Money = ({ lines }) => html`<h3>Its money</h3>${lines.map((line) => line.kind === 'release' && html`
  <p class="money good">✓ ${credits(line.amount)} credits were given back on ${time(line.at)}, to bucket
    <bdi> ${line.bucket}</bdi>.</p>`)}
  <${Table} title="Lines of the journal" cols=${JOURNAL} rows=${lines} none="The journal has no line of it."
    row=${({ text, kind }) => ({ title: text, class: back(kind) })}/>`;

const EVIDENCE = ['verdict', 'source', 'at',
  ['detail', ({ detail }) => html`<${Fold} title="detail" value=${detail}/>`]];
const Attempt = ({ attempt, at }) => html`<h3>Attempt ${attempt.number}: ${attempt.phase}</h3>
  <${Facts} of=${attempt}/><${Table} title="Evidence" cols=${EVIDENCE} rows=${attempt.known}/>
  <p><${ActButton} label="Settle: there is no task" title="Settle attempt ${attempt.number}"
    path="${at}/attempts/${attempt.number}/resolve" why=${!attempt.needs_person && 'It needs nobody.'}/></p>`;

const FILES = { name: 'files', label: 'Keys of its files in your storage', type: 'list', required: true };
const ACTS = [['ask', 'ask', 'Ask the provider now', []], ['cancel', 'cancel', 'Cancel'],
  ['fail', 'end', 'End as failed'], ['complete', 'end', 'End as complete', [REASON, FILES]]];
const Acts = ({ job, at }) => html`<div class="row" role="group" aria-label="Acts">${ACTS.map((
  [event, path, label, fields]) => html`<${ActButton} label=${label} title="${label}: job ${short(job.id)}"
  why=${job.refusals[event]} fields=${fields} path="${at}/${path}" body=${path === 'end' && { event }}
  danger=${path !== 'ask'}/>`)}
  <small>${[...new Set(Object.values(job.refusals))].join(' ')}</small></div>`;

const Whole = ({ job, at }) => html`<p><${Pill} ...${job}/> <code>${job.id}</code></p>
  ${job.error && html`<p class="bad">✗ <bdi>${job.error.message}</bdi> (${job.error.category})</p>`}
  ${job.type_gone && html`<p class="warn">Its job type is not here any more.</p>`}
  <${Facts} of=${{ ...job, id: null, state: null, status: null, version: null, type_gone: null }}/>
  <${Acts} job=${job} at=${at}/><${Bars} bars=${job.bars} over=${job.finished_at}/>
  <${Files} job=${job} at=${at}/><${Money} lines=${job.journal}/>
  ${job.attempts.map((each) => html`<${Attempt} attempt=${each} at=${at}/>`)}<h3>Raw data</h3>
  ${job.messages.map((each) => html`<${Fold} value=${each.body} title="${each.source}, ${time(each.at)} ${
    each.task_id ?? ''} ${each.redacted ? '(secrets masked)' : ''} ${each.read ? '' : '(not read yet)'}"/>`)}
  ${['input', 'request', 'metadata'].map((name) => html`<${Fold} title=${name} value=${job[name]}/>`)}`;

// The job with this id, as it stands.
export function Job({ id }) {
  const at = `/operations/jobs/${encodeURIComponent(id)}`;
  const got = useLive(at, {}, (step) => step.job_id === id);
  const head = useRef();
  useEffect(() => head.current.focus(), []);
  return html`<article class="card job" aria-label="Job ${short(id)}"><div class="row">
    <h2 ref=${head} tabindex="-1">Job ${short(id)}</h2>
    <button onClick=${() => navigate({ job: '' })}>✕ Close</button></div><${Stale} ...${got}/>
    ${got.data ? html`<${Whole} job=${got.data} at=${at}/>` : !got.error && 'loading …'}</article>`;
}
