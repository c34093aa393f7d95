// Jobs and credits: lists, one job, the books, one owner's wallet.
import { Acts, ago, books, Card, credits, Facts, file, Filter, Fold, html, navigate, OPS, overview, page,
  Pages, Pill, query, recall, renew, Said, seconds, short, since, Stale, Table, time, useEffect,
  useState } from './parts.js';

const TAGS = { img: /png|jpe?g|webp|gif|avif/, video: /mp4|webm|mov/, audio: /mp3|wav|ogg|m4a|flac/ };

// What is large or no picture is read when somebody wants it.
function File({ path, kind, name, size }) {
  const tag = Object.keys(TAGS).find((each) => TAGS[each].test(kind));
  const [wanted, want] = useState(tag === 'img' && !(size > 2e7));
  const [{ url, wrong }, set] = useState({});
  useEffect(() => {
    if (!wanted) return;
    const made = file(path);
    made.then((blob) => set({ url: blob }), ({ message }) => set({ wrong: message }));
    return () => made.then(URL.revokeObjectURL, () => {});
  }, [wanted]);
  const broken = () => set({ url, wrong: `It is damaged, or no ${kind} that a browser can show.` });
  return html`<figure>${wrong ? html`<p class="bad">✗ ${wrong}</p>` : !wanted
    ? html`<button onClick=${() => want(true)}>Fetch ${name}</button>` : !url ? 'loading …'
      : tag && html`<${tag} src=${url} alt=${name} controls=${tag !== 'img'} onError=${broken}/>`}
    <figcaption>${name}, ${kind}${size && `, ${Math.ceil(size / 1e3)} kB`} ${
    url && html`<a href=${url} download="${name}.${kind}">Save</a>`}</figcaption></figure>`;
}

function Files({ job, at }) {
  const part = (title, files, more) => files[0] && html`<div><h3>${title}</h3>${files.map((each) =>
    html`<${File} ...${each} ...${more(each)}/>`)}</div>`;
  return html`<div class="files">
    ${part('Before', job.inputs, ({ name }) => ({ path: `${at}/inputs/${encodeURIComponent(name)}` }))}
    ${part('After', job.files, ({ number: n }) => ({ path: `${at}/files/${n}`, name: `result ${n + 1}` }))}
  </div>`;
}

function Bars({ bars, over }) {
  const at = bars.map((bar) => since(bars[0].from) - since(bar.from));
  const long = bars.map((bar) => (bar.to || over || !page.sure ? bar.seconds : since(bar.from)));
  const whole = at.at(-1) + long.at(-1) || 1;
  const style = (i) => ({ left: `${(at[i] / whole) * 100}%`, width: `${(long[i] / whole) * 100}%` });
  return html`<h3>Its way: ${seconds(whole)}</h3><ol class="bars">${bars.map((bar, i) => html`<li>
    <${Pill} ...${bar}/><span class="track"><i class="state ${bar.status}" style=${style(i)}/></span>
    <b>${long[i] > 0 && seconds(long[i])}</b>
    <small>${time(bar.from)} ${bar.event} by <bdi>${bar.actor}</bdi>${
    bar.reason && html`: <bdi>${bar.reason}</bdi>`}</small></li>`)}</ol>
    <small>To scale; the shortest are widened.</small>`;
}

const EVIDENCE = ['verdict', 'source', 'at', ['', ({ detail }) => html`<${Fold} title="detail"
  value=${detail}/>`]];
const attemptOf = (attempt) => html`<h3>Attempt ${attempt.number}: ${attempt.phase}</h3>
  <${Facts} of=${attempt}/><${Table} title="Evidence" cols=${EVIDENCE} rows=${attempt.known}/>
  <${Acts} of=${attempt.acts}/>`;

const Whole = ({ job, at }) => html`<p><${Pill} ...${job}/> <code>${job.id}</code></p>
  <${Said} of=${job.told}/>
  <${Facts} of=${{ ...job, id: null, state: null, status: null, version: null }}/>
  <div class="row" role="group" aria-label="Acts"><${Acts} of=${job.acts}/>
    <small>${[...new Set(job.acts.map(({ refused }) => refused))].join(' ')}</small></div>
  <${Bars} bars=${job.bars} over=${job.finished_at}/><${Files} job=${job} at=${at}/>
  <h3>Its money</h3><${Table} title="Lines of the journal" rows=${job.journal}
    cols=${['kind', 'amount', 'bucket', 'balance', 'at']} none="Its journal is empty."/>
  ${job.attempts.map(attemptOf)}<h3>Raw data</h3>
  ${job.messages.map((each) => html`<${Fold} value=${each.body} title="${time(each.at)} ${each.text}"/>`)}
  ${['input', 'request', 'metadata'].map((name) => html`<${Fold} title=${name} value=${job[name]}/>`)}`;

function Job({ id }) {
  const at = `${OPS}/jobs/${encodeURIComponent(id)}`;
  const got = recall(at, 10, (step) => step.job_id === id);
  useEffect(() => document.querySelector('.job h2').focus(), []);
  return html`<${Card} kind="job" title="Job ${short(id)}" told=${got} side=${html`<button
    onClick=${() => navigate({ job: '' })}>✕ Close</button>`}>
    ${got.data && html`<${Whole} job=${got.data} at=${at}/>`}<//>`;
}

const NAMES = ['search', 'state', 'type', 'owner', 'active', 'since', 'after'];

const brings = (step, { after, search, active, state, type = step.type, owner = step.owner }) => !after
  && !search && type === step.type && owner === step.owner
  && (state ? state === step.to_state : active === 'false' ? step.money : !step.from_state);

// The rows follow the stream; the jobs that it has brought are counted. Whether to ask again at once.
function follow(data, url, step) {
  const { jobs, fresh = data.fresh = new Set() } = data;
  const { job_id: id, version, attempt, to_state: state } = step;
  const job = jobs.find((each) => each.id === id);
  if (version > job?.version) Object.assign(job, { version, attempt, state, status: state });
  else if (!job && fresh.size < 1e4 && brings(step, url)) fresh.add(id);
  else if (url.state) fresh.delete(id);
  return fresh.size && !jobs[0];
}

const COLUMNS = ['id', ['state', (job) => html`<${Pill} ...${job}/> ${job.draft && 'draft'}`], 'type',
  'owner', 'price', ['age', (job) => ago(job.created_at)], 'attempt'];

// The list, and beside it the job that the address names.
export function Jobs() {
  const { url } = page;
  const asked = query(Object.fromEntries(NAMES.map((name) => [name, url[name]])));
  const list = recall(`${OPS}/jobs${asked}`, page.live === false ? 10 : 3e5,
    (step) => list.data && follow(list.data, url, step));
  const { jobs, next, fresh } = list.data ?? {};
  const types = overview().data?.types ?? [];
  const choices = { active: ['true', 'false'], since: ['1h', '24h', '168h'], type: types.map((t) => t.name),
    state: types.flatMap(({ states, ended }) => Object.keys({ ...states, ...ended })) };
  const side = html`${fresh?.size > 0 && html`<button onClick=${renew}>
    ${credits(fresh.size)}${fresh.size < 1e4 ? '' : '+'} new</button>`}
    ${asked !== '?' && html`<a href=${query({ view: url.view, job: url.job })}>Show all</a>`}`;
  const row = ({ id }) => ({ 'aria-current': id === url.job || null,
    onClick: (event) => event.target.closest('a') || `${getSelection()}` || navigate({ job: id }) });
  return html`<div class=${url.job && 'split'}><div class="jobs">
    <${Card} title="Jobs" told=${list} side=${side}><div class="row filters">
    ${NAMES.slice(0, 6).map((name) => html`<${Filter} name=${name} options=${choices[name]}/>`)}</div>
    <${Table} title="Jobs, newest first" cols=${COLUMNS} rows=${jobs} row=${row}
      none=${asked === '?' ? 'No jobs yet.' : 'No job is like that.'}/><${Pages} next=${next}/><//></div>
    ${url.job && html`<${Job} key=${url.job} id=${url.job}/>`}</div>`;
}

// Whether all credits are somewhere, as of when; a click lists what is wrong.
export function BooksLine() {
  const { data, error } = books();
  if (!data) return html`<${Stale} error=${error}/>`;
  const line = html`<${Said} of=${data.told}/> <small>as of ${ago(data.at)}</small>`;
  return html`<div class="row money">${data.told.level === 'good' ? line : html`<details>
    <summary>${line}</summary><${Table} title="What is broken" rows=${data.violations}
    cols=${['code', 'invariant', 'subject', 'owner', 'job_id']}/></details>`}</div>`;
}

function Wallet({ owner }) {
  const at = `${OPS}/owners/${encodeURIComponent(owner)}/wallet`;
  const got = recall(at, 10, (step) => step.owner === owner);
  const { told, buckets, acts } = got.data ?? {};
  return html`<${Card} title="Wallet of ${owner}" told=${got}>
    <${Said} of=${told}/>
    <${Table} title="Buckets, those first that are spent first" rows=${buckets}
      cols=${['kind', 'remaining', 'held', 'expires_at', 'source_ref']}/>
    <${Acts} of=${acts}/><//>`;
}

export function Money() {
  const { owner, after } = page.url;
  const got = recall(`${OPS}/ledger${query({ owner, after })}`, 10, (step) => !after
    && (!owner || owner === step.owner));
  const { entries, next } = got.data ?? {};
  return html`${owner && html`<${Wallet} key=${owner} owner=${owner}/>`}
    <${Card} title="Ledger" told=${got}><div class="row filters">
    <${Filter} name="owner"/></div>
    <${Table} title="Movements, newest first" rows=${entries}
      cols=${['at', 'owner', 'text', 'change', 'balance', 'job_id']}
      none="No credits have moved."/><${Pages} next=${next}/><//>`;
}
