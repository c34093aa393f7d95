// Parts that the views share, and what a person does.
export * from './base.js';
import { API, credits, html, me, navigate, page, post, query, renew, say, short, show, signIn, signOut, tab,
  time, useEffect, useMemo, useRef, useState } from './base.js';

export const Stale = ({ at, error }) => error && html`<p class="stale">
  ${at ? `As of ${time(at)}. ` : 'Nothing is known yet. '}${error.message}</p>`;

// `side` stands on the right of its title, `told` is for Stale.
export const Card = ({ title, told, side, kind = '', children }) => html`<section class="card ${kind}"
  aria-label=${title}><div class="row"><h2 tabindex="-1">${title}</h2>${side}</div>
  <${Stale} ...${told}/>${children}</section>`;

// One sentence of the service, or several.
const MARKS = { plain: '', good: '✓ ', warn: '⚠ ', bad: '✗ ' };
export const Said = ({ of = [] }) => [of].flat().map(({ level, text }) => {
  const tone = level === 'good' && !page.sure ? 'plain' : level;
  return html`<p class=${tone}>${MARKS[tone]}${text}</p>`;
});

export const Pill = ({ state, status }) => html`<span class="state ${status}">${state}</span>`;

function shown(name, value) {
  if (value == null || value === '') return '–';
  if (value.level) return html`<${Said} of=${value}/>`;
  if (/(^|_)(at|until|before)$/.test(name)) return html`<time title=${value}>${time(value)}</time>`;
  const job = /^(id|job_id|retry_of)$/.test(name);
  const sign = name === 'change' && value > 0 ? '+' : '';
  const all = `${value}`;
  const text = html`<bdi title=${all} class=${all.length < 20 && 'whole'}>${job ? short(value)
    : value.toFixed ? sign + credits(value) : all}</bdi>`;
  const url = page.url.view === 'money' ? { view: 'jobs' } : page.url;
  const to = job ? { ...url, job: value } : name === 'owner' && { view: 'money', owner: value };
  return to ? html`<a href=${query(to)}>${text}</a>` : text;
}

export const Facts = ({ of }) => html`<dl>${Object.entries(of).map(([name, value]) => value !== false
  && typeof value !== 'object' && html`<div><dt>${name.replaceAll('_', ' ')}</dt>
  <dd>${shown(name, value)}</dd></div>`)}</dl>`;

export const Fold = ({ title, value }) => JSON.stringify(value ?? {}) !== '{}' && html`<details>
  <summary>${title}</summary><pre tabindex="0">${
    typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</pre>
  </details>`;

// Cards where it is narrow; a column is the name of a field, or a title and what it makes of a row. Credits
// that came back are green.
export function Table({ title, cols, rows, row, none }) {
  if (!rows?.length) return rows && none;
  const cells = (each) => cols.map((col) => (col.at(1).call ? [col[0], col[1](each)]
    : [col.replace('_', ' '), shown(col, each[col]), each[col]?.toFixed && 'number']));
  return html`<div class="fit"><table class="list" aria-label=${title}>
    <thead><tr>${cells(rows[0]).map(([name, , kind]) => html`<th class=${kind}>${name}</th>`)}</tr></thead>
    <tbody>${rows.map((each) => html`<tr key=${each.id ?? each.cursor} ...${row?.(each)}
    class=${/^re(lease|turned)$/.test(each.kind) && 'good'}>${cells(each).map(([name, value, kind]) => html`
    <td data-name=${name} class=${kind}>${value}</td>`)}</tr>`)}</tbody></table></div>`;
}

const WORDS = { __proto__: null, search: 'job, task, key or owner', '': 'any', true: 'not over',
  false: 'over', '1h': '1 hour', '24h': '1 day', '168h': '1 week' };
// A part of the address: one of the options, or a text, which stays while it is typed.
export function Filter({ name, options }) {
  const value = page.url[name] ?? '';
  const onChange = ({ target }) => navigate({ [name]: target.value.trim(), after: '' });
  const all = options && [...new Set(['', value, ...options])];
  return useMemo(() => html`<label>${WORDS[name] ?? name}${all ? html`<select ...${{ value, onChange }}>
    ${all.map((each) => html`<option value=${each}>${WORDS[each] ?? each}</option>`)}</select>`
    : html`<input ...${{ value, onChange }}/>`}</label>`, [value, all?.length]);
}

export const Pages = ({ next }) => html`<div class="row">
  ${page.url.after && html`<a href=${query({ ...page.url, after: '' })}>⇤ Newest</a>`}
  ${next && html`<a href=${query({ ...page.url, after: next })}>Older →</a>`}</div>`;

// A list is written with commas.
const valuesOf = (form, fields) => Object.fromEntries(fields.map(({ name, type }) => {
  const text = form.elements[name].value.trim();
  return [name, type === 'number' ? +text : type === 'list' ? text.split(/[\s,]+/) : text];
}));

const Opener = (form) => html`<button disabled=${!!form.refused} title=${form.refused}
  onClick=${() => show(form)}>${form.label}</button>`;

// A modal form, also when its button is gone: what send(values) throws is told in it, and it stays open.
export function Form({ label, title, told, fields, danger, send }) {
  const dialog = useRef();
  const [{ problem, busy }, tell] = useState({});
  useEffect(() => dialog.current.showModal(), []);
  const end = () => dialog.current?.close();
  const submit = (event) => {
    event.preventDefault();
    tell({ busy: true });
    send(valuesOf(event.target, fields)).then(end, ({ message }) => (dialog.current
      ? tell({ problem: message }) : say(message)));
  };
  return html`<dialog ref=${dialog} onClose=${() => show(null)} aria-label=${title}>
    <form onSubmit=${submit}><h2>${title}</h2>${told}${fields.map((field) => html`<label>${field.label}
      <input autocomplete="off" required ...${field}
      defaultValue=${field.name === 'by' ? tab.makegoodBy : ''}/></label>`)}
    <p class="bad" role="alert">${problem}</p>
    <div class="row"><button type="button" onClick=${end}>Back</button>
      <button class=${danger ? 'danger' : 'main'} disabled=${busy}>${label}</button></div></form></dialog>`;
}

export const Acts = ({ of }) => of?.map((offer) => html`<${Opener} ...${offer} send=${
  async (values) => {
    await post(API + offer.path, { ...offer.body, ...values });
    tab.makegoodBy = values.by;
    say(`Done: ${offer.title}.`);
    renew();
  }}/>`);

const KEY = [{ name: 'key', label: 'Key', type: 'password' }, { name: 'by', label: 'Your name' }];
// Who the page is to the service, and the way to be somebody who may act.
export function Key() {
  const { data, error } = me();
  return html`<span class="row key">
    ${page.dropped && html`<span class="warn" role="alert">${page.dropped}</span>`}
    <small>${tab.makegoodKey && tab.makegoodBy} ${
    !error && data?.acts === false && 'Read-only'}</small>
    ${tab.makegoodKey ? html`<button onClick=${() => signOut()}>Forget the key</button>`
    : html`<${Opener} label="Use a key" title="A service key" send=${signIn} fields=${KEY} told="With the
      scope “operations” it may act, with “observe” look. It is forgotten with this tab."/>`}</span>`;
}
