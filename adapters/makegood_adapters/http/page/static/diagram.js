// The declared machine of a job type with the number of jobs in each state; an edge flashes as a job passes.
import { Card, Choice, credits, html, navigate, onSteps, Paused, plural, use, useEffect, useGet, useParams,
  useRef } from './tables.js';
import { overview } from './overview.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

function flash(edge) {
  if (!edge || edge.getAnimations({ subtree: true }).length) return; // one at a time, however many pass
  edge.querySelector('path').animate([{ strokeWidth: 6, stroke: 'var(--accent)' }, {}], 900);
  const way = edge.dataset.up ? ['100%', '0%'] : ['0%', '100%'];
  edge.querySelector('circle').animate({ offsetDistance: way, opacity: [1, 1, 0] }, 700);
}

function Node({ state, status, x, y, width, height, meaning, note, terminal, type, chosen, choose }) {
  const n = (terminal ? type.ended : type.states)[state] ?? 0;
  const many = `${credits(n)}${n >= type.capped ? '+' : ''}`;
  const when = terminal ? `last ${type.ended_hours} h` : note;
  const wide = 14 + 7.5 * many.length;
  const press = (event) => (event.key === 'Enter' || event.key === ' ') && choose(event.preventDefault());
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
  const choose = (to) => () => navigate({ type: type.name, state: to !== state && to });
  return html`<div class="scroll"><svg class="machine" role="group"
    viewBox="-4 -8 ${machine.width + 30} ${machine.height + 12}"
    aria-label="States of ${type.label}; choose one to list its jobs">
    ${machine.edges.map(({ event, from, to, money, d, head, label }) => html`<g class="edge ${money}"
      data-up=${at[to] < at[from] || null} ref=${(g) => { edges.current[`${event} ${from}`] = g; }}>
      <path d=${d}/><path class="head" d=${head}/><circle r="5" style=${{ offsetPath: `path("${d}")` }}/>
      <text x=${label.x} y=${label.y}>${event}
      ${money && money !== 'none' && html`<tspan> · ${money}</tspan>`}</text></g>`)}
    ${machine.nodes.map((node) => html`<${Node} key=${node.state} ...${node} type=${type}
      chosen=${node.state === state} choose=${choose(node.state)}/>`)}</svg></div>`;
}

let first; // the type with most jobs, as soon as there are any

export function Diagram() {
  const told = use(overview);
  const { type: wanted, state } = useParams();
  const { types = [], rates = {} } = told.data ?? {};
  const all = (type) => total(type.states) + total(type.ended);
  const fullest = types.toSorted((a, b) => all(b) - all(a))[0];
  if (fullest && all(fullest)) first ??= fullest.name;
  const type = types.find(({ name }) => name === (wanted ?? first)) ?? fullest;
  const shape = useGet(type && `/operations/machines/${type.name}`, {}, 600);
  const side = type && html`<span class="dim">${plural(total(type.states), 'job')} under way</span>
    <${Choice} label="Job type" value=${type.name} options=${types.map(({ name, label }) => [name, label])}
      choose=${(name) => navigate({ type: name, state: null })}/><${Paused} scope="type" name=${type.name}/>`;
  return html`<${Card} id="machine" title=${type?.label ?? 'States'} side=${side}
    told=${told.error ? told : shape}>
    ${told.data && !type && html`<p class="empty">No job type is served yet.</p>`}
    ${type && shape.data && html`<${Machine} machine=${shape.data} type=${type} state=${state}/>
      <p class="dim">Per minute:
        ${Object.entries(rates).map(([what, n]) => ` ${+n.toFixed(1)} ${what}`).join()}.</p>`}<//>`;
}
