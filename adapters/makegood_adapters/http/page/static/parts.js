// Parts that the views share: cards, tables, filters, and what a person does.
import { clock, credits, dropped, html, Link, me, navigate, params, post, renew, short, signal, signIn,
  signOut, tab, time, use, useEffect, useGet, useMemo, useRef, useState } from './base.js';

export const Stale = ({ at, error }) => error && html`<p class="stale">
  ${at ? `As of ${time(at)}. ` : 'Nothing is known yet. '}${error.message}</p>`;

// `side` stands on the right of its title, `told` is for Stale.
export const Card = ({ title, id, told, side, children }) => html`<section class="card" aria-labelledby=${id}>
  <div class="row"><h2 id=${id}>${title}</h2>${side}</div><${Stale} ...${told}/>${children}</section>`;

export const Pill = ({ state, status }) => html`<span class="state ${status}">${state}</span>`;

// A value as its name and kind say.
function shown(name, value) {
  if (value == null || value === '') return '–';
  if (/(^|_)(at|until|before)$/.test(name)) return html`<time title=${value}>${time(value)}</time>`;
  const job = /^(id|job_id|retry_of)$/.test(name);
  const sign = name === 'change' && value > 0 ? '+' : '';
  const text = html`<bdi title=${value}>${job ? short(value) : Number.isFinite(value) ? sign + credits(value)
    : `${value}`}</bdi>`;
  const url = params().view === 'money' ? { view: 'jobs' } : params();
  const to = job ? { ...url, job: value } : name === 'owner' && { view: 'money', owner: value };
  return to ? html`<${Link} to=${to}>${text}<//>` : text;
}

export const Facts = ({ of }) => html`<dl>${Object.entries(of).map(([name, value]) => value !== false
  && typeof value !== 'object' && html`<div><dt>${name.replaceAll('_', ' ')}</dt>
  <dd>${shown(name, value)}</dd></div>`)}</dl>`;

export const Fold = ({ title, value }) => JSON.stringify(value ?? {}) !== '{}' && html`<details>
  <summary>${title}</summary><pre tabindex="0">${
    typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</pre>
  </details>`;

// Cards where it is narrow; a column is the name of a field, or a title and what it makes of a row.
export function Table({ title, cols, rows, row, none }) {
  use(clock);
  if (!rows?.length) return rows && none && html`<p class="dim">${none}</p>`;
  const cells = (each) => cols.map((col) => (col.at(1).call ? [col[0], col[1](each)]
    : [col.replace('_', ' '), shown(col, each[col]), each[col]?.toFixed && 'number']));
  return html`<div class="fit"><table class="list"><caption class="hidden">${title}</caption>
    <thead><tr>${cells(rows[0]).map(([name, , kind]) => html`<th class=${kind}>${name}</th>`)}</tr></thead>
    <tbody>${rows.map((each) => html`<tr ...${row?.(each)}>${cells(each).map(([name, value, kind]) =>
    html`<td data-name=${name} class=${kind}>${value}</td>`)}</tr>`)}</tbody></table></div>`;
}
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

export const said = signal(''); // how it went: shown for a while, and read aloud
export const REASON = { name: 'reason', label: 'Reason, kept for good' };
const BY = { name: 'by', label: 'Your name' };
const KEY = { name: 'key', label: 'Key', type: 'password' };

// A list is written with commas.
const valuesOf = (form, fields) => Object.fromEntries(fields.map(({ name, type }) => {
  const text = form.elements[name].value.trim();
  return [name, type === 'number' ? +text : type === 'list' ? text.split(/[\s,]+/) : text];
}));

// A modal form: what send(values) throws is told in it, and it stays open.
function Dialog({ title, told, fields, label, danger, send, close }) {
  const dialog = useRef();
  const [{ problem, busy }, tell] = useState({});
  useEffect(() => dialog.current.showModal(), []);
  const end = () => dialog.current.close();
  const submit = (event) => {
    event.preventDefault();
    tell({ busy: true });
    send(valuesOf(event.target, fields)).then(end, ({ message }) => tell({ problem: message }));
  };
  return html`<dialog ref=${dialog} onClose=${close} aria-label=${title}><form onSubmit=${submit}>
    <h2>${title}</h2>${told}${fields.map(({ label: text, ...field }) => html`<label>${text}
    <input autocomplete="off" required ...${field}
      defaultValue=${field.name === 'by' ? tab.makegoodBy : ''}/></label>`)}
    <p class="bad" role="alert">${problem}</p>
    <div class="row"><button type="button" onClick=${end}>Back</button>
      <button class=${danger ? 'danger' : 'main'} disabled=${busy}>${label}</button></div></form></dialog>`;
}

// A button for whoever may act: its dialog asks for a name and `fields`; `path` is called with them and
// `body`. `why` it cannot be done.
export function ActButton({ path, body, fields = [REASON], needs = 'acts', why, ...rest }) {
  const { label, title = label, danger } = rest;
  const [open, show] = useState(false);
  if (!use(me)?.[needs]) return null;
  const send = async (values) => {
    await post(path, { ...body, ...values });
    tab.makegoodBy = values.by;
    said.set(`Done: ${title}.`);
    renew();
  };
  return html`<button class=${danger && 'danger'} disabled=${!!why} title=${why || null}
    onClick=${() => show(true)}>${label}</button>
    ${open && html`<${Dialog} ...${rest} ...${{ title, send }} fields=${[BY, ...fields]}
      close=${() => show(false)}/>`}`;
}

// Ask once for all that show it.
export function useShared(what, path) {
  const told = useGet(path);
  useEffect(() => what.set({ ...told }), [told.at, told.error]);
}
export const rules = signal({});

// A button that pauses a pool or a job type; or that it is paused, by whom and why, and how to end it.
export function Paused({ scope, name }) {
  const rule = use(rules).data?.rules.find((r) => r.scope === scope && r.name === name && r.paused_at);
  const given = { body: { scope, name }, path: '/operations/pauses' };
  return rule ? html`<span class="warn">Paused ${rule.paused_until && `until ${time(rule.paused_until)} `}
    by ${rule.actor}: ${rule.reason}</span><${ActButton} label="Resume" title="Resume ${scope} ${name}"
      ...${given} path="${given.path}/end" fields=${[]}/>`
    : html`<${ActButton} label="Pause" title="Start no more jobs of ${scope} ${name}" ...${given}/>`;
}

// Who the page is to the service, and the way to be somebody who may act.
export function Key() {
  const [open, show] = useState(false);
  const { refused, acts } = use(me) ?? { acts: true };
  const why = use(dropped);
  return html`<span class="row key">${why && html`<span class="warn" role="alert">${why}</span>`}
    <span class="dim">${tab.makegoodKey && tab.makegoodBy} ${!refused && !acts && 'Read-only'}</span>
    ${tab.makegoodKey ? html`<button onClick=${signOut}>Forget the key</button>`
    : html`<button onClick=${() => show(true)}>Enter a key</button>`}
    ${open && html`<${Dialog} title="Enter a service key" label="Use it" send=${signIn} fields=${[KEY, BY]}
      told="With the scope “operations” it may act, with “observe” look. It is forgotten with this tab."
      close=${() => show(false)}/>`}</span>`;
}

export function Said() {
  const text = use(said);
  useEffect(() => {
    const timer = setTimeout(() => text && said.set(''), 8_000);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<p class="said" role="status">${text}</p>`;
}
