// What the page knows: its address, what the API answered, the stream of steps; and how it is drawn anew.
import { html, render } from './vendor/preact.js';

export * from './vendor/preact.js';

export const address = (name) => document.querySelector(`meta[name=makegood-${name}]`)?.content;
export const API = address('api');
export const OPS = `${API}/operations`;
export const tab = sessionStorage; // the key, and the name that signs acts
export const page = { url: {} }; // what is shown beside answers
// For a while, and read aloud.
export function say(text) {
  page.said = text;
  setTimeout(() => { page.said = ''; }, 8_000);
}

// Everything is drawn from the top, at most once a picture.
const records = new Map();
let Page, frame, root;
let drawn = 0;
function draw() {
  frame = null;
  drawn += 1;
  render(html`<${Page}/>`, root);
  for (const [url, record] of records) if (record.drawn !== drawn) records.delete(url);
}
export const redraw = () => { frame ??= requestAnimationFrame(draw); };

let ahead = 0; // of the clock of the service before ours, in ms
export const since = (at) => (Date.now() + ahead - Date.parse(at)) / 1000;
export function time(at) {
  const day = (date) => new Date(date).toLocaleString('sv');
  const [told, today] = [day(at), day(Date.now() + ahead)];
  return told.slice(told.slice(0, 10) === today.slice(0, 10) ? 11 : 0);
}
export function seconds(n) {
  if (n < 0.1) return `${Math.max(0, n * 1e3) | 0} ms`;
  if (n < 1) return `${n.toFixed(1)} s`;
  const parts = [[n / 86400, 'd'], [(n / 3600) % 24, 'h'], [(n / 60) % 60, 'min'], [n % 60, 's']];
  const told = parts.filter(([many]) => many >= 1).slice(0, 2);
  return told.map(([many, unit]) => `${many | 0} ${unit}`).join(' ');
}
export const ago = (at) => `${seconds(Math.max(1, since(at)))} ago`;
export const credits = (n) => n?.toLocaleString('en');
// The beginning tells when a job was made, the end which one it is.
export const short = (id) => `${id.slice(0, 8)}…${id.slice(-4)}`;

export const query = (given) => `?${new URLSearchParams(
  Object.entries(given).filter(([, value]) => value),
)}`;
function arrive() {
  page.url = Object.fromEntries(new URLSearchParams(location.search));
  redraw();
}
// Change what the address asks for; what is empty is taken away.
export function navigate(changes, rest = page.url) {
  history.pushState(null, '', query({ ...rest, ...changes }));
  arrive();
}
addEventListener('popstate', arrive);
addEventListener('click', (event) => {
  const link = event.target.closest('a[href^="?"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  navigate(Object.fromEntries(new URLSearchParams(link.getAttribute('href'))), {});
});

// The reply; what is no success is thrown: an Error with a sentence, and the `status`.
async function call(url, { body, key = tab.makegoodKey, signal = AbortSignal.timeout(20_000) } = {}) {
  const reply = await fetch(url, {
    method: body ? 'POST' : 'GET', body: body && JSON.stringify(body), signal,
    headers: { ...(body && { 'Content-Type': 'application/json' }),
      ...(key && { Authorization: `Bearer ${key}` }) },
  }).catch(() => { throw new Error('The service does not answer.'); });
  if (reply.ok) return reply;
  const { status } = reply;
  const problem = await reply.json().catch(() => ({}));
  const { text = `The service answered ${status}.`, detail = text, errors = [] } = problem;
  if (status === 401 && key && key === tab.makegoodKey) signOut('The key is not taken any more.');
  const told = [detail, ...errors.map(({ field, message }) => `${field}: ${message}`)].join(' ');
  throw Object.assign(new Error(told), { status });
}
export const get = async (url, more) => (await call(url, more)).json();
export const post = (url, body) => call(url, { body });
// Free it with URL.revokeObjectURL.
export const file = async (url) => URL.createObjectURL(await (await call(url)).blob());

async function ask(record) {
  const asking = record.asking = {};
  record.due = Infinity;
  const told = await get(record.url).then(
    (data) => ({ data, at: Date.now(), error: null }),
    (error) => ({ error }),
  );
  if (record.asking !== asking) return; // asked anew meanwhile
  if (told.data?.last_seq >= 0) ahead = Date.parse(told.data.at) - Date.now();
  const every = told.error ? 2 : record.every;
  const due = Date.now() + every * (document.hidden ? 6000 : 1000);
  Object.assign(record, told, { asking: null, due: Math.min(record.due, due) });
  redraw();
}
// Whoever shows answers asks again at once.
export const renew = () => [...records.values()].forEach(ask);

// What GET answers, as long as it is drawn: {data, at (ms), error (of the last try)}; asked anew every so
// many seconds, and soon after a step that `touches` it.
export function recall(url, every = 10, touches = () => false) {
  const record = Object.assign(records.get(url) ?? { url }, { every, touches, drawn });
  records.set(url, record);
  if (!record.due) ask(record);
  return record;
}
export const me = () => recall(`${OPS}/me`);
export const overview = () => recall(`${OPS}/overview`, 2, () => true);
export const concerns = () => recall(`${OPS}/concerns`);

export async function signIn({ key, by }) {
  await get(`${OPS}/me`, { key });
  Object.assign(tab, { makegoodKey: key, makegoodBy: by });
  page.dropped = '';
  stream?.abort();
  renew();
}
// `dropped`: why the key is not used any more.
export function signOut(dropped = '') {
  tab.removeItem('makegoodKey');
  page.dropped = dropped;
  stream?.abort();
  renew();
}

const hearers = [];
export const onSteps = (hear) => hearers.push(hear);
function hear(steps) {
  for (const tell of hearers) tell(steps);
  const soon = Date.now() + 400;
  for (const record of records.values()) {
    if (steps.some(record.touches)) record.due = Math.min(record.due, soon);
  }
  redraw();
}

let stream;
async function listen() {
  const { signal } = stream = new AbortController();
  const patient = (promise) => { // it says every 15 s that it is there
    const silence = setTimeout(() => stream.abort(), 45_000);
    return promise.finally(() => clearTimeout(silence));
  };
  const reply = await patient(call(`${OPS}/events`, { signal }));
  if (page.live === false) renew(); // what happened meanwhile is told by no step
  page.live = true;
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { done, value } = await patient(reader.read());
    if (done) return;
    const lines = (text + value).split('\n');
    text = lines.pop();
    const told = lines.filter((line) => line.startsWith('data: '));
    if (told.length) hear(told.map((line) => JSON.parse(line.slice(6))));
  }
}
async function follow() {
  for (;;) {
    await listen().catch(() => {}); // that nobody answers is told by the answers
    page.live = false;
    await new Promise((go) => { setTimeout(go, 1000 + 2000 * Math.random()); });
  }
}

export function begin(what) {
  Page = what;
  root = document.getElementById('root');
  root.replaceChildren();
  arrive();
  follow();
  setInterval(() => {
    for (const record of records.values()) if (!record.asking && Date.now() > record.due) ask(record);
    redraw();
  }, 500);
}
