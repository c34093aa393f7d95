// What a person does: the key, and acts that are signed with a name and a reason.
import { dropped, get, me, post, signIn, signOut, signed } from './api.js';
import { time } from './format.js';
import { renew, signal, turns, use } from './signal.js';
import { html, useEffect, useRef, useState } from './vendor/preact.js';

export const said = signal(''); // how it went: shown for a while, and read aloud
export const REASON = { name: 'reason', label: 'Reason, kept for good', required: true };
const BY = { name: 'by', label: 'Your name', required: true };
const KEY = { name: 'key', label: 'Key', type: 'password', required: true };

// Fields that are empty are left out; a list is written with commas.
const valuesOf = (form, fields) => Object.fromEntries(fields.map(({ name, type }) => {
  const text = form.elements[name].value.trim();
  return [name, text && (type === 'number' ? +text : type === 'list' ? text.split(/[\s,]+/) : text)];
}).filter(([, value]) => value !== ''));

// A modal form: what send(values) throws is told in it, and it stays open.
export function Dialog({ title, told, fields, label, danger, send, close }) {
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
    <h2>${title}</h2>${told && html`<p>${told}</p>`}${fields.map(({ label: text, ...field }) => html`<label>
      ${text}<input autocomplete="off" ...${field}
        defaultValue=${field.name === 'by' ? signed.by : field.value}/>
    </label>`)}<p class="bad" role="alert">${problem}</p>
    <div class="row"><button type="button" onClick=${end}>Back</button>
      <button class=${danger ? 'danger' : 'main'} disabled=${busy}>${label}</button></div></form></dialog>`;
}

// A button for whoever may act: its dialog asks for a name and `fields`, a reason unless others are given;
// `path` is called with them and `body`. `why` it cannot be done; `done(answer)` may tell what came of it.
export function ActButton({ path, body, fields = [REASON], credits, done, why, ...rest }) {
  const { label, title = label, danger } = rest;
  const [open, show] = useState(false);
  const may = use(me);
  if (!(credits ? may?.credits : may?.acts)) return null;
  const send = async (values) => {
    const answer = await post(path, { ...body, ...values });
    signed.by = values.by;
    said.set(done?.(answer) ?? `Done: ${title}.`);
    renew();
  };
  return html`<button class=${danger && 'danger'} disabled=${!!why} title=${why || null}
    onClick=${() => show(true)}>${label}</button>
    ${open && html`<${Dialog} ...${rest} ...${{ title, send }} fields=${[BY, ...fields]}
      close=${() => show(false)}/>`}`;
}

const rules = signal([]);
const learn = () => get('/operations/rules').then((told) => rules.set(told.rules), () => {});
turns.on(learn);
setInterval(learn, 15_000);
learn();

// A button that pauses a pool or a job type; or that it is paused, by whom and why, and how to end it.
export function Paused({ scope, name }) {
  const rule = use(rules).find((r) => r.scope === scope && r.name === name && r.paused_at);
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
    <span class="dim">${signed.key && signed.by} ${!refused && !acts && 'Read-only'}</span>
    ${signed.key ? html`<button onClick=${signOut}>Forget the key</button>`
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
