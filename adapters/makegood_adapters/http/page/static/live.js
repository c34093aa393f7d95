// How it is now: the machine, slots, queue, processes, the story, and what needs a person.
import { Acts, address, ago, Card, concerns, credits, Filter, html, navigate, OPS, overview, page, post,
  query, recall, renew, Said, say, seconds, short, Table, time, useEffect, useRef } from './parts.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');

page.flash = ({ type, event, from_state: from }) => {
  const edge = document.querySelector(`[data-machine="${type}"] [data-step="${event} ${from}"]`);
  // One at a time, however many pass.
  if (!edge || calm.matches || edge.getAnimations({ subtree: true })[0]) return;
  const line = edge.querySelector('path');
  line.animate([{ strokeWidth: 6, stroke: 'var(--accent)' }, {}], 900);
  const offsetPath = `path("${line.getAttribute('d')}")`;
  const way = edge.dataset.up ? ['100%', '0%'] : ['0%', '100%'];
  edge.querySelector('circle').animate({ offsetPath: [offsetPath, offsetPath], offsetDistance: way,
    opacity: [1, 1, 0] }, 700);
};

// The drawing of the service, with the counts of this moment.
function Machine({ svg: __html, type }) {
  const drawing = useRef();
  const { state } = page.url;
  useEffect(() => {
    const counts = { ...type.states, ...type.ended };
    for (const node of drawing.current.querySelectorAll('.node')) {
      const { state: name, note } = node.dataset;
      const n = counts[name] ?? 0;
      const many = `${credits(n)}${n < type.capped ? '' : '+'}`;
      const [pill, text] = node.querySelector('.count').children;
      text.textContent = many;
      pill.setAttribute('width', 14 + 7.5 * many.length);
      text.setAttribute('x', 7 + 3.75 * many.length);
      node.classList.toggle('lit', n);
      node.ariaLabel = `${name}: ${many}, ${note}`;
      node.ariaCurrent = name === state;
      node.setAttribute('href', query({ type: type.name, state: name !== state && name }));
    }
  });
  return html`<div ref=${drawing} data-machine=${type.name} dangerouslySetInnerHTML=${{ __html }}/>`;
}

let first; // the type with most jobs, as soon as there are any

function Diagram() {
  const told = overview();
  const { types = [], pace } = told.data ?? {};
  const fullest = types.toSorted((a, b) => b.jobs - a.jobs)[0];
  if (fullest?.jobs) first ??= fullest.name;
  const type = types.find(({ name }) => name === (page.url.type ?? first)) ?? fullest;
  const shape = type && recall(`${OPS}/machines/${type.name}`, 600);
  const side = type && html`<small>${credits(type.under_way)} under way</small>
    ${types[1] && html`<select aria-label="Job type" value=${type.name}
      onChange=${({ target }) => navigate({ type: target.value, state: '' })}>
      ${types.map(({ name, label }) => html`<option value=${name}>${label}</option>`)}</select>`}
    <${Said} of=${type.told}/><${Acts} of=${type.acts}/>`;
  return html`<${Card} title=${type?.label ?? 'States'} side=${side} told=${shape}>
    ${told.data && !type && 'No job type is served yet.'}
    ${shape?.data && html`<${Machine} svg=${shape.data.svg} type=${type}/>`}
    <small>${pace}</small><//>`;
}

function Account({ account, pool, capacity, open, draining, foreign, problem, told, acts }) {
  const free = Math.max(0, capacity - open - foreign);
  const many = Math.ceil((open + foreign + free) / 60) || 1; // slots in a box
  const boxes = Object.entries({ open: open - draining, draining, foreign, free })
    .flatMap(([kind, n]) => Array(Math.ceil(n / many)).fill(kind));
  return html`<li class=${problem && 'unfit'}><div class="row"><h3>${account}</h3>
    <small>${pool !== account && `pool ${pool}`}</small><${Acts} of=${acts}/></div>
    <div class="row boxes" aria-hidden="true">${boxes.map((kind) => html`<i class=${kind}/>`)}
      ${many > 1 && `each ${many} slots`}</div><${Said} of=${told}/></li>`;
}

function Slots() {
  const { data } = overview();
  return html`<${Card} title="Slots"><ul>${data?.accounts.map((each) => html`<${Account}
    key=${each.account} ...${each}/>`)}</ul>
    ${data && !data.accounts[0] && 'No provider account is known: no job can start.'}<//>`;
}

const QUEUE = [['#', ({ position }) => position], 'id', 'owner',
  ['waited', ({ waited_seconds: n }) => seconds(n)], 'starts'];

function Queue() {
  const { pool } = page.url;
  const told = recall(`${OPS}/queue${query({ pool, limit: 8 })}`, 2);
  const { jobs, pools = [] } = told.data ?? {};
  return html`<${Card} title="Queue" told=${told} side=${html`<${Said} of=${told.data?.told}/>
    ${pools[1] && html`<${Filter} name="pool" options=${pools}/>`}`}>
    <${Table} title="The next jobs, in order" cols=${QUEUE} rows=${jobs} none="Nobody waits."/><//>`;
}

const WORKERS = ['process', 'state', ['seen', ({ seen_at: at }) => at && ago(at)],
  ['loops', ({ told }) => html`<${Said} of=${told}/>`]];
const Workers = () => html`<${Card} title="Processes"><${Table} title="Who runs the loops"
  cols=${WORKERS} rows=${overview().data?.workers} none="No process runs the loops: no job moves."/><//>`;

const stage = address('stage');
const press = (name) => post(`${stage}/${name}`, {}).catch(({ message }) => say(message)).then(renew);
function Stage() {
  const { data } = recall(stage, 1);
  return data && html`<${Card} kind="stage" title=${data.title}>
    <ol role="log" tabindex="0" aria-label="Story">${data.story.toReversed().map(({ at, text, tone, job }) =>
      html`<li key=${at + text} class=${tone}><time>${time(at)}</time> ${text}
      ${job && html` <a href=${query({ job })}>${short(job)}</a>`}</li>`)}</ol>
    <div class="row">${data.buttons.map(({ name, label, told, busy }) => html`<button title=${told}
      disabled=${busy} onClick=${() => press(name)}>${label}</button>`)}</div><//>`;
}

export const Live = () => html`${stage && html`<${Stage}/>`}<div class="live"><${Diagram}/>
  <div class="side"><${Slots}/><${Queue}/><${Workers}/></div></div>`;

// What stands between backticks is code.
const marked = (text) => text.split('`').map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));
const Concern = ({ level, what, todo, since, job_id: job }) => html`<li class=${level}>
  <p><b>${level === 'alarm' ? '✗ Alarm.' : '⚠ Warning.'}</b> ${marked(what)}</p><p>${marked(todo)}</p>
  <small>${since && `Since ${time(since)}, ${ago(since)}. `}
    ${job && html`<a href=${query({ job })}>Job ${short(job)}</a>`}</small></li>`;

export function Concerns() {
  const told = concerns();
  const found = told.data?.concerns;
  const acts = recall(`${OPS}/acts`);
  return html`<${Card} title="Needs a person" told=${told}>
    ${found && !found[0] && html`<${Said} of=${{ level: 'good', text: 'Nothing needs a person.' }}/>`}
    <ul>${found?.map((each) => html`<${Concern} key=${each.kind + each.subject} ...${each}/>`)}</ul><//>
    <${Card} title="What operators did over the API" told=${acts}><${Table} none="Nothing yet."
      title="Newest first, also what was refused" rows=${acts.data?.acts}
      cols=${['at', 'by', 'key', 'what', 'subject', 'reason', 'outcome']}/><//>`;
}
