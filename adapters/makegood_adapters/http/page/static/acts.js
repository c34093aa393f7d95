// What a person does: the key, acts with a name and a reason, and how they went.
import { dropped, me, post, signIn, signOut, signed } from './api.js';
import { renew, signal, use } from './signal.js';
import { html, useEffect, useRef, useState } from './vendor/preact.js';

// What the page says aloud, and shows for a while.
export const said = signal('');

export const REASON = { name: 'reason', label: 'Reason, kept for good', required: true };
const BY = () => ({ name: 'by', label: 'Your name', required: true, value: signed.by });

function Field({ name, label, type = 'text', options, ...rest }) {
  return html`<label>${label}${options
    ? html`<select name=${name} ...${rest}>${options.map((o) => html`<option>${o}</option>`)}</select>`
    : html`<input name=${name} type=${type} autocomplete="off" ...${rest}/>`}</label>`;
}

const valuesOf = (form, fields) => Object.fromEntries(fields.map(({ name, type }) => {
  const text = form.elements[name].value.trim();
  return [name, type === 'number' ? Number(text) : text];
}).filter(([, value]) => value !== ''));

// A modal form: `send(values)` does it, and what it throws is told in the form, which stays open.
export function Dialog({ title, told, fields, label, danger, send, close }) {
  const dialog = useRef();
  const [problem, tell] = useState('');
  const [busy, work] = useState(false);
  useEffect(() => dialog.current.showModal(), []);
  const submit = async (event) => {
    event.preventDefault();
    work(true);
    tell('');
    try {
      await send(valuesOf(event.target, fields));
      dialog.current.close();
    } catch (error) {
      tell(error.message);
      work(false);
    }
  };
  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="dialog-title"><form onSubmit=${submit}>
    <h2 id="dialog-title">${title}</h2>${told && html`<p>${told}</p>`}
    ${fields.map((field) => html`<${Field} ...${field}/>`)}
    <p class="refused" role="alert">${problem}</p>
    <div class="row"><button type="button" onClick=${() => dialog.current.close()}>Back</button>
      <button class=${danger ? 'danger' : 'main'} disabled=${busy}>${busy ? 'Sending …' : label}</button>
    </div>
  </form></dialog>`;
}

// A button for who may act: a dialog asks for a name and `fields` (a reason, unless others are given), and
// `path` is called with them and `body`. `done(answer)` may tell in a sentence what has come of it.
export function ActButton({ label, title = label, told, fields = [REASON], path, body, danger, credits,
  done }) {
  const [open, show] = useState(false);
  const may = use(me);
  if (!(credits ? may?.credits : may?.acts)) return null;
  const send = async (values) => {
    const answer = await post(path, { ...body, ...values });
    sessionStorage.setItem('makegood-by', values.by);
    said.set(done?.(answer) ?? `Done: ${title}.`);
    renew();
  };
  return html`<button class=${danger ? 'danger' : ''} onClick=${() => show(true)}>${label}</button>
    ${open && html`<${Dialog} title=${title} told=${told} fields=${[BY(), ...fields]} label=${label}
      danger=${danger} send=${send} close=${() => show(false)}/>`}`;
}

// Who the page is, and the way to be somebody who may act.
export function Key() {
  const [open, show] = useState(false);
  const may = use(me);
  const why = use(dropped);
  const form = open && html`<${Dialog} title="Enter a service key" label="Use this key"
    told="It needs the scope “operations” to act, “observe” to look. This tab forgets it when it is closed."
    fields=${[{ name: 'key', label: 'Key', type: 'password', required: true }, BY()]}
    send=${({ key, by }) => signIn(key, by)} close=${() => show(false)}/>`;
  return html`<span class="key">${signed.key
    ? html`<span>${signed.by}, ${may?.acts ? 'may act' : 'read-only'}</span>
      <button onClick=${signOut}>Forget the key</button>`
    : html`<span>${why || (may?.refused ? 'No key' : may && 'Read-only')}</span>
      <button onClick=${() => show(true)}>Enter a key</button>`}${form}</span>`;
}

// What was said last; it goes by itself.
export function Said() {
  const text = use(said);
  useEffect(() => {
    const timer = text && setTimeout(() => said.set(''), 8_000);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<p class="said" role="status">${text}</p>`;
}
