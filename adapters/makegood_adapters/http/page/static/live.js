// How it is now: the machine with its counts, slots, queue, processes, the story, and what needs a person.
import { address, ago, credits, html, Link, navigate, onSteps, overview, plural, seconds, short, signal,
  since, time, use, useEffect, useGet, useParams, useRef, useState } from './base.js';
import { Card, Filter, Paused, said, Table } from './parts.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

function flash(edge) {
  if (!edge || edge.getAnimations({ subtree: true }).length) return; // one at a time, however many pass
  edge.querySelector('path').animate([{ strokeWidth: 6, stroke: 'var(--accent)' }, {}], 900);
  const way = edge.dataset.up ? ['100%', '0%'] : ['0%', '100%'];
  edge.querySelector('circle').animate({ offsetDistance: way, opacity: [1, 1, 0] }, 700);
}

function Node({ state, status, x, y, width, height, meaning, note, terminal, type, chosen }) {
  const n = (terminal ? type.ended : type.states)[state] ?? 0;
  const many = `${credits(n)}${n >= type.capped ? '+' : ''}`;
  const when = terminal ? `last ${type.ended_hours} h` : note;
  const wide = 14 + 7.5 * many.length;
  const choose = () => navigate({ type: type.name, state: !chosen && state });
  const press = (event) => /^(Enter| )$/.test(event.key) && choose(event.preventDefault());
  return html`<g class="node ${status} ${n && 'lit'}" role="button" tabindex="0" aria-pressed=${chosen}
    aria-label="${state}: ${many}, ${when}" transform="translate(${x} ${y})" onClick=${choose}
    onKeyDown=${press}>
    <rect width=${width} height=${height} rx="9"/>
    ${terminal && html`<rect class="inner" x="3.5" y="3.5" width=${width - 7} height=${height - 7} rx="6"/>`}
    <text x=${width / 2} y="21">${state}</text><title>${meaning}</title>
    <text class="note" x=${width / 2} y="37">${when}</text>
    <g class="count" transform="translate(${width + wide / 2 - 8} ${height / 2})"><rect x=${-wide / 2} y="-10"
      width=${wide} height="20" rx="10"/><text y="4.5">${many}</text></g></g>`;
}

function Machine({ machine, type, state }) {
  const edges = useRef({});
  useEffect(() => onSteps((steps) => {
    const passed = steps.filter((step) => step.type === type.name && !calm.matches);
    const ids = new Set(passed.map((step) => `${step.event} ${step.from_state}`));
    for (const id of ids) flash(edges.current[id]);
  }), [type.name]);
  const at = Object.fromEntries(machine.nodes.map((node) => [node.state, node.y]));
  return html`<svg class="machine" role="group"
    viewBox="-4 -8 ${machine.width + 30} ${machine.height + 12}"
    aria-label="States of ${type.label}; choose one to list its jobs">
    ${machine.edges.map(({ event, from, to, money, d, head, label }) => html`<g class="edge ${money}"
      data-up=${at[to] < at[from] || null} ref=${(g) => { edges.current[`${event} ${from}`] = g; }}>
      <path d=${d}/><path class="head" d=${head}/><circle r="5" style=${{ offsetPath: `path("${d}")` }}/>
      <text x=${label.x} y=${label.y}>${event}
      ${money && money !== 'none' && html`<tspan> · ${money}</tspan>`}</text></g>`)}
    ${machine.nodes.map((node) => html`<${Node} key=${node.state} ...${node} type=${type}
      chosen=${node.state === state}/>`)}</svg>`;
}

let first; // the type with most jobs, as soon as there are any

function Diagram() {
  const told = use(overview);
  const { type: wanted, state } = useParams();
  const { types = [], rates = {} } = told.data ?? {};
  const all = (type) => total(type.states) + total(type.ended);
  const fullest = types.toSorted((a, b) => all(b) - all(a))[0];
  if (fullest && all(fullest)) first ??= fullest.name;
  const type = types.find(({ name }) => name === (wanted ?? first)) ?? fullest;
  const shape = useGet(type && `/operations/machines/${type.name}`, {}, 600);
  const side = type && html`<span class="dim">${plural(total(type.states), 'job')} under way</span>
    ${types[1] && html`<select aria-label="Job type" value=${type.name}
      onChange=${({ target }) => navigate({ type: target.value, state: null })}>
      ${types.map(({ name, label }) => html`<option value=${name}>${label}</option>`)}</select>`}
    <${Paused} scope="type" name=${type.name}/>`;
  return html`<${Card} id="machine" title=${type?.label ?? 'States'} side=${side}
    told=${told.error ? told : shape}>
    ${told.data && !type && html`<p class="dim">No job type is served yet.</p>`}
    ${type && shape.data && html`<${Machine} machine=${shape.data} type=${type} state=${state}/>
      <p class="dim">Per minute:
        ${Object.entries(rates).map(([what, n]) => ` ${credits(+n.toFixed(n < 10))} ${what}`)
    .join()}.</p>`}<//>`;
}

const words = (...told) => told.filter(Boolean).join(' · ');

function Account({ account, pool, capacity, open, draining, foreign, ...a }) {
  const all = Math.max(capacity, open + foreign);
  const kinds = { open: open - draining, draining, foreign, free: all - open - foreign };
  const boxes = Object.entries(kinds).flatMap(([kind, n]) => Array(n).fill(kind));
  const rest = -since(a.rests_until);
  return html`<li class=${a.problem && 'unfit'}><div class="row"><h3>${account}</h3>
    <span class="dim">${pool !== account && `pool ${pool}`}</span><${Paused} scope="pool" name=${pool}/></div>
    <div class="boxes" aria-hidden="true">${boxes.slice(0, 60).map((kind) => html`<i class=${kind}/>`)}
      ${all > 60 && `+${all - 60}`}</div>
    <p class="dim">${words(`${open} of ${plural(capacity, 'slot')} taken`, draining && `${draining} draining`,
      foreign && `${foreign} not ours`, a.learned != null && a.learned !== a.configured
      && `learned: ${a.learned} of ${a.configured ?? 'an unknown number'}`)}</p>
    ${a.problem && html`<p class="bad">✖ ${a.problem}</p>`}
    <p class="warn">${words(rest > 0 && `⚠ rests until ${time(a.rests_until)} (${seconds(rest)})`, a.failures
      && `⚠ the last ${plural(a.failures, 'look')} went unanswered. ${a.last_error ?? ''}`)}</p></li>`;
}

function Slots() {
  const told = use(overview);
  const accounts = told.data?.accounts;
  return html`<${Card} id="slots" title="Slots" told=${told}><ul>${accounts?.map((a) => html`<${Account}
    key=${a.account} ...${a}/>`)}</ul>
    ${accounts && !accounts[0] && html`<p class="dim">No provider account is known: no job can start.</p>`}
    <//>`;
}

const starts = ({ held_back: held, not_before: at, wait_seconds: wait }) => (held
  ? html`<span class="warn">${held}</span>` : at ? `not before ${time(at)}` : wait == null ? 'not known'
    : wait < 1 ? 'any moment' : seconds(wait));
const QUEUE = [['#', ({ position }) => position], 'id', 'owner',
  ['waited', (job) => seconds(job.waited_seconds)], ['starts in about', starts]];

function Queue() {
  const { pool } = useParams();
  const told = useGet('/operations/queue', { pool, limit: 8 }, 2);
  const lanes = use(overview).data?.lanes.filter((lane) => !pool || lane.pool === pool);
  const sum = (what) => lanes.reduce((n, lane) => n + lane[what], 0);
  const { jobs, pools = [] } = told.data ?? {};
  return html`<${Card} id="queue" title="Queue" told=${told} side=${html`<span class="dim">${lanes
      && `${credits(sum('waiting'))} waiting${sum('parked') ? `, ${sum('parked')} not yet due` : ''}`}</span>
    ${pools[1] && html`<${Filter} name="pool" options=${pools}/>`}`}>
    <${Table} title="The next jobs, in order" cols=${QUEUE} rows=${jobs} none="Nobody waits."/><//>`;
}

const ill = ({ name, healthy, hanging, failures }) => !healthy
  && `${name} ${hanging ? 'hangs' : failures ? `failed ${failures}×` : 'is over'}`;
const trouble = ({ lost, loops }) => (lost ? 'lost' : words(...loops.map(ill)));
const WORKERS = [['process', ({ host, pid }) => html`<bdi>${host} ${pid}</bdi>`], 'state',
  ['seen', ({ seen_at: at }) => at && ago(at)],
  ['loops', (worker) => html`<span class=${trouble(worker) && 'bad'}>${trouble(worker)
    || `✓ ${worker.loops.length} well`}</span>`]];

function Workers() {
  const told = use(overview);
  return html`<${Card} id="workers" title="Processes" told=${told}><${Table} title="Who runs the loops"
    cols=${WORKERS} rows=${told.data?.workers} none="No process runs the loops: no job moves."/><//>`;
}

const ask = async (path, more) => (await fetch(address('stage') + path, {
  headers: { 'Makegood-Stage': '1' }, ...more })).json();
const press = (name) => ask(`/${name}`, { method: 'POST' })
  .catch(() => said.set('The demonstration does not answer.'));

async function follow(tell, signal) {
  for (let after = ''; !signal.aborted;) {
    try {
      const stage = await ask(after, { signal });
      after = `?after=${stage.version}`;
      tell(stage);
    } catch { // that nobody answers is told by the connection
      after = '';
      await new Promise((go) => { setTimeout(go, 2_000); });
    }
  }
}

function Stage() {
  const [stage, tell] = useState();
  useEffect(() => {
    const end = new AbortController();
    if (address('stage')) follow(tell, end.signal);
    return () => end.abort();
  }, []);
  return stage && html`<section class="card stage" aria-labelledby="stage"><h2 id="stage">${stage.title}</h2>
    <ol role="log" tabindex="0" aria-label="Story">${stage.story.toReversed().map(({ at, text, tone }) =>
      html`<li key=${at + text} class=${tone}><time>${time(at)}</time> ${text}</li>`)}</ol>
    <div class="row">${stage.buttons.map(({ name, label, told, busy }) => html`<button title=${told}
      disabled=${busy} onClick=${() => press(name)}>${label}</button>`)}</div></section>`;
}

export const Live = () => html`<${Stage}/><div class="live"><${Diagram}/>
  <div class="side"><${Slots}/><${Queue}/><${Workers}/></div></div>`;

export const concerns = signal({});

export function ConcernsMark() {
  const found = use(concerns).data?.concerns ?? [];
  const alarm = found.some(({ level }) => level === 'alarm');
  return found[0] && html` <b class="mark ${alarm && 'alarm'}">${found.length}</b>`;
}

// What stands between backticks is code.
const marked = (text) => text.split('`').map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));
const Concern = ({ level, what, todo, since: at, job_id: job }) => html`<li class=${level}>
  <p><b>${level === 'alarm' ? '✖ Alarm.' : '⚠ Warning.'}</b> ${marked(what)}</p><p>${marked(todo)}</p>
  <p class="dim">${at && `Since ${time(at)}, ${ago(at)}. `}
    ${job && html`<${Link} to=${{ job }}>Job ${short(job)}<//>`}</p></li>`;

const ACTS = ['at', 'by', 'key', 'act', 'subject', 'reason', 'outcome'];

export function Concerns() {
  const told = use(concerns);
  const found = told.data?.concerns;
  const acts = useGet('/operations/acts');
  return html`<${Card} id="concerns" title="Needs a person" told=${told}>
    ${found && !found[0] && html`<p class="good">✓ Nothing needs a person.</p>`}
    <ul>${found?.map((c) => html`<${Concern} key=${c.kind + c.subject} ...${c}/>`)}</ul><//>
    <${Card} id="acts" title="What operators did over the API" told=${acts}><${Table} none="Nothing yet."
      title="Newest first, also what was refused" cols=${ACTS} rows=${acts.data?.acts}/><//>`;
}
