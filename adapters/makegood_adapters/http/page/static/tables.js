// What the views of jobs and money share: all parts of the page, and tables, facts, filters.
import { useGet } from './api.js';
import { credits, short, time } from './format.js';
import { Link, navigate, params } from './route.js';
import { signal, use } from './signal.js';
import { onSteps } from './stream.js';
import { html, useEffect, useMemo } from './vendor/preact.js';

export * from './acts.js';
export * from './api.js';
export * from './format.js';
export * from './parts.js';
export * from './route.js';
export * from './signal.js';
export * from './stream.js';
export * from './vendor/preact.js';

// Goes on every second.
export const clock = signal(0);
setInterval(() => clock.set(clock.value + 1), 1000);

// What GET answers, asked again as steps come that it depends on.
export function useLive(path, given, touches) {
  const got = useGet(path, given, 60);
  useEffect(() => {
    let timer;
    const look = () => { timer = 0; got.again(); };
    const off = onSteps((steps) => { if (steps.some(touches)) timer ||= setTimeout(look, 400); });
    return () => { off(); clearTimeout(timer); };
  }, [got]);
  return got;
}

export const Pill = ({ state, status }) => html`<span class="state ${status}">${state}</span>`;

// A value as its name and kind say.
function shown(name, value) {
  if (value == null || value === '') return '–';
  if (/(^|_)(at|until|before)$/.test(name)) return html`<time title=${value}>${time(value)}</time>`;
  const job = /^(id|job_id|retry_of)$/.test(name);
  const told = job ? short(value) : value.toFixed ? credits(value) : `${value}`;
  const text = html`<bdi title=${value}>${told}</bdi>`;
  const url = params().view === 'money' ? { view: 'jobs' } : params();
  const to = job ? { ...url, job: value } : name === 'owner' && { view: 'money', owner: value };
  return to ? html`<${Link} to=${to}>${text}<//>` : text;
}

// All simple values of something.
export const Facts = ({ of }) => html`<dl>${Object.entries(of).map(([name, value]) => value !== false
  && typeof value !== 'object' && html`<div><dt>${name.replaceAll('_', ' ')}</dt>
  <dd>${shown(name, value)}</dd></div>`)}</dl>`;

// Raw data, folded.
export const Fold = ({ title, value }) => JSON.stringify(value ?? {}) !== '{}' && html`<details>
  <summary>${title}</summary>
  <pre tabindex="0">${value.trim ? value : JSON.stringify(value, null, 2)}</pre></details>`;

// Cards where it is narrow; a column is the name of a field, or a title and what it makes of a row.
export function Table({ title, cols, rows, row, none }) {
  use(clock);
  if (!rows?.length) return rows && none && html`<p class="empty">${none}</p>`;
  const cells = (each) => cols.map((col) => (col.at(1).call ? [col[0], col[1](each)]
    : [col.replace('_', ' '), shown(col, each[col]), each[col]?.toFixed && 'number']));
  return html`<div class="fit"><table class="list cards"><caption class="hidden">${title}</caption>
    <thead><tr>${cells(rows[0]).map(([name, , kind]) => html`<th class=${kind}>${name}</th>`)}</tr></thead>
    <tbody>${rows.map((each) => html`<tr ...${row?.(each)}>${cells(each).map(([name, value, kind]) =>
    html`<td data-name=${name} class=${kind}>${value}</td>`)}</tr>`)}</tbody></table></div>`;
}
// Credits that came back are green.
export const back = (kind) => /^re(lease|turned)$/.test(kind) && 'money good';

const WORDS = { search: 'job, task, key or owner', '': 'any', true: 'not over', false: 'over', '1h': '1 hour',
  '24h': '1 day', '168h': '1 week' };
// A part of the address: one of the options, or a text, which stays while it is typed.
export function Filter({ name, options }) {
  const value = params()[name] ?? '';
  const onChange = ({ target }) => navigate({ [name]: target.value.trim(), after: '' });
  const all = options && [...new Set(['', value, ...options])];
  return useMemo(() => html`<label>${WORDS[name] ?? name}${all ? html`<select ...${{ value, onChange }}>
    ${all.map((each) => html`<option value=${each}>${WORDS[each] ?? each}</option>`)}</select>`
    : html`<input ...${{ value, onChange }}/>`}</label>`, [value, all?.length]);
}

export const Pages = ({ next }) => html`<div class="row">
  ${params().after && html`<${Link} to=${{ ...params(), after: '' }}>⇤ Newest<//>`}
  ${next && html`<${Link} to=${{ ...params(), after: next }}>Older →<//>`}</div>`;
