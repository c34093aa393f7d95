// The jobs and the credits: lists with search and pages, one job, the books, one owner's wallet.
import { ago, clock, credits, file, html, Link, me, navigate, onSteps, overview, plural, seconds, short,
  since, time, use, useEffect, useGet, useMemo, useParams, useRef, useState } from './base.js';
import { ActButton, back, Card, Facts, Filter, Fold, Pages, Pill, REASON, Stale, Table } from './parts.js';

const TAGS = { img: /png|jpe?g|webp|gif|avif/, video: /mp4|webm|mov/, audio: /mp3|wav|ogg|m4a|flac/ };

// What is large or no picture is read when somebody wants it.
function File({ path, kind, name, size }) {
  const tag = Object.keys(TAGS).find((each) => TAGS[each].test(kind));
  const [wanted, want] = useState(tag === 'img' && !(size > 2e7));
  const [{ url, wrong }, set] = useState({});
  useEffect(() => {
    const made = wanted && file(path);
    if (made) made.then((blob) => set({ url: blob }), (error) => set({ wrong: error.message }));
    return () => made && made.then(URL.revokeObjectURL, () => {});
  }, [wanted]);
  const broken = () => set({ url, wrong: `It is damaged, or no ${kind} that a browser can show.` });
  return html`<figure>${wrong ? html`<p class="bad">✗ ${wrong}</p>` : !wanted
    ? html`<button onClick=${() => want(true)}>Fetch ${name}</button>` : !url ? 'loading …'
      : tag && html`<${tag} src=${url} alt=${name} controls=${tag !== 'img'} onError=${broken}/>`}
    <figcaption>${name}, ${kind}${size && `, ${Math.ceil(size / 1e3)} kB`} ${
    url && html`<a href=${url} download="${name}.${kind}">Save</a>`}</figcaption></figure>`;
}

function Files({ job, at }) {
  const part = (title, files, more) => files.length > 0 && html`<div><h3>${title}</h3>${files.map((each) =>
    html`<${File} ...${each} ...${more(each)}/>`)}</div>`;
  return html`<div class="files">
    ${part('Before', job.inputs, ({ name }) => ({ path: `${at}/inputs/${encodeURIComponent(name)}` }))}
    ${part('After', job.files, ({ number: n }) => ({ path: `${at}/files/${n}`, name: `result ${n + 1}` }))}
  </div>`;
}

function Bars({ bars, over }) {
  use(clock);
  const at = bars.map((bar) => since(bars[0].from) - since(bar.from));
  const long = bars.map((bar) => (bar.to || over ? bar.seconds : since(bar.from)));
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
const Journal = ({ lines }) => html`<h3>Its money</h3>${lines.map((line) => line.kind === 'release' && html`
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

const FILES = { name: 'files', label: 'Keys of its files in your storage', type: 'list' };
const ACTS = [['ask', 'ask', 'Ask the provider now', []], ['cancel', 'cancel', 'Cancel'],
  ['fail', 'end', 'End as failed'], ['complete', 'end', 'End as complete', [REASON, FILES]]];
const Acts = ({ job, at }) => html`<div class="row" role="group" aria-label="Acts">${ACTS.map((
  [event, path, label, fields]) => html`<${ActButton} label=${label} title="${label}: job ${short(job.id)}"
  why=${job.refusals[event]} fields=${fields} path="${at}/${path}" body=${path === 'end' && { event }}
  danger=${path !== 'ask'}/>`)}
  <small>${use(me)?.acts && [...new Set(Object.values(job.refusals))].join(' ')}</small></div>`;

const Whole = ({ job, at }) => html`<p><${Pill} ...${job}/> <code>${job.id}</code></p>
  ${job.error && html`<p class="bad">✗ <bdi>${job.error.message}</bdi> (${job.error.category})</p>`}
  ${job.type_gone && html`<p class="warn">Its job type is not here any more.</p>`}
  <${Facts} of=${{ ...job, id: null, state: null, status: null, version: null, type_gone: null }}/>
  <${Acts} job=${job} at=${at}/><${Bars} bars=${job.bars} over=${job.finished_at}/>
  <${Files} job=${job} at=${at}/><${Journal} lines=${job.journal}/>
  ${job.attempts.map((each) => html`<${Attempt} attempt=${each} at=${at}/>`)}<h3>Raw data</h3>
  ${job.messages.map((each) => html`<${Fold} value=${each.body} title="${each.source}, ${time(each.at)} ${
    each.task_id ?? ''} ${each.redacted ? '(secrets masked)' : ''} ${each.read ? '' : '(not read yet)'}"/>`)}
  ${['input', 'request', 'metadata'].map((name) => html`<${Fold} title=${name} value=${job[name]}/>`)}`;

function Job({ id }) {
  const at = `/operations/jobs/${encodeURIComponent(id)}`;
  const got = useGet(at, {}, 60, (step) => step.job_id === id);
  const head = useRef();
  useEffect(() => head.current.focus(), []);
  return html`<article class="card job" aria-label="Job ${short(id)}"><div class="row">
    <h2 ref=${head} tabindex="-1">Job ${short(id)}</h2>
    <button onClick=${() => navigate({ job: '' })}>✕ Close</button></div><${Stale} ...${got}/>
    ${got.data ? html`<${Whole} job=${got.data} at=${at}/>` : !got.error && 'loading …'}</article>`;
}

const NAMES = ['search', 'state', 'type', 'owner', 'active', 'since', 'after'];

function asked(url) {
  const given = Object.fromEntries(NAMES.map((name) => [name, url[name]]));
  const hours = /^(\d{1,4})h$/.exec(url.since)?.[1];
  return hours ? { ...given, since: new Date(Date.now() - hours * 36e5).toISOString() } : given;
}

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
  const got = useGet('/operations/jobs', useMemo(() => asked(url), list), 3e5);
  const types = use(overview).data?.types ?? [];
  const fresh = useFresh(url, got);
  const choices = { active: ['true', 'false'], since: ['1h', '24h', '168h'], type: types.map((t) => t.name),
    state: types.flatMap(({ states, ended }) => Object.keys({ ...states, ...ended })) };
  const side = html`<span role="status">
    ${fresh > 0 && html`<button onClick=${got.again}>${credits(fresh)} new</button>`}</span>
    ${some && html`<${Link} to=${{ view: url.view, job: url.job }}>Show all<//>`}`;
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

const BROKEN = ['code', 'invariant', 'subject', 'owner', 'job_id'];

// Whether all credits are somewhere, as of when; a click lists what is wrong.
export function BooksLine() {
  const { data: books, error } = useGet('/operations/books', {}, 3);
  use(clock);
  if (!books) return html`<${Stale} error=${error}/>`;
  const { difference: off, broken, violations } = books;
  const parts = ['remaining', 'held', 'captured', 'expired'].map((part) => `${part} ${credits(books[part])}`);
  const sum = html`issued ${credits(books.issued)} = ${parts.join(' + ')}
    <small> as of ${ago(books.at)}</small>`;
  return off || broken ? html`<details class="money bad"><summary>✗ The books are wrong: ${
    plural(off, 'credit')} off, ${plural(broken, 'violation')}. ${sum}</summary>
    <${Table} title="What is broken" cols=${BROKEN} rows=${violations}/></details>`
    : html`<p class="money good">✓ ${sum}</p>`;
}

const BUCKETS = ['kind', 'remaining', 'held', 'expires_at', 'source_ref'];
const GRANT = [{ name: 'amount', label: 'Credits', type: 'number' },
  { name: 'source_ref', label: 'Order or ticket; each adds its credits once' }, REASON];

function Wallet({ owner }) {
  const at = `/owners/${encodeURIComponent(owner)}`;
  const got = useGet(`/operations${at}/wallet`, {}, 60, (step) => step.owner === owner);
  const { unlimited, available, held, debt, buckets } = got.data ?? {};
  const title = html`Wallet of <bdi>${owner}</bdi>`;
  return html`<${Card} title=${title} id="wallet" told=${got}>
    ${got.data && html`<p><b>${unlimited ? 'unlimited' : credits(available)}</b> to spend, <b>${
      credits(held)}</b> held for jobs${debt > 0 && html`, <b class="bad">${credits(debt)} owed</b>`}</p>`}
    <${Table} title="Buckets, those first that are spent first" cols=${BUCKETS} rows=${buckets}/>
    <${ActButton} label="Grant credits" title="Grant credits to ${owner}" path="${at}/grants"
      fields=${GRANT} needs="credits"/><//>`;
}

const LEDGER = ['at', 'owner', 'text', 'change', 'balance', 'job_id'];

export function Money() {
  const { owner = '', after } = useParams();
  const touches = (step) => !after && owner === (owner && step.owner);
  const got = useGet('/operations/ledger', { owner, after }, 60, touches);
  const { entries, next } = got.data ?? {};
  const row = ({ cursor, kind }) => ({ key: cursor, class: back(kind) });
  return html`${owner && html`<${Wallet} key=${owner} owner=${owner}/>`}
    <${Card} title="Ledger" id="ledger" told=${got}><div class="row filters">
    <${Filter} name="owner"/></div>
    <${Table} title="Movements, newest first" cols=${LEDGER} rows=${entries} row=${row}
      none="No credits have moved."/><${Pages} next=${next}/><//>`;
}
