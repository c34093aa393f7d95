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
  setTimeout(() => { if (page.said === text) page.said = ''; }, 8_000);
}

// Everything is drawn from the top, at most once a picture: what nobody sees is neither drawn nor asked for.
const records = new Map();
const root = document.getElementById('root');
let Page, frame;
let drawn = 0;
let ticks = 1; // half seconds, whatever a clock says
let quiet = 0; // until then nothing is asked for
function draw() {
  frame = null;
  drawn += 1;
  render(html`<${Page}/>`, root);
  for (const [url, record] of records) {
    const { due, error, every, asking, tick } = record;
    if (record.drawn !== drawn) records.delete(url);
    else if (!asking && ticks >= Math.max(Math.min(due, tick + (error ? 4 : 2 * every)), quiet)) ask(record);
    else if (asking && ticks > tick + 20) record.error ??= { message: 'The answer is late.', status: 1 };
  }
}
const redraw = () => (frame ??= requestAnimationFrame(draw));

let ahead = 0; // of the clock of the service before ours, in ms
export const since = (at) => (Date.now() + ahead - Date.parse(at)) / 1000;
export function time(at) {
  const told = (date) => new Date(date).toLocaleString('sv');
  return told(at).replace(told(Date.now() + ahead).slice(0, 11), '');
}
export function seconds(n) {
  if (n < 0.1) return `${Math.max(0, n * 1e3) | 0} ms`;
  if (n < 1) return `${n.toFixed(1)} s`;
  return [[n / 86400, 'd'], [(n / 3600) % 24, 'h'], [(n / 60) % 60, 'min'], [n % 60, 's']]
    .filter(([many]) => many >= 1).slice(0, 2).map(([many, unit]) => `${many | 0}\xa0${unit}`).join(' ');
}
export const ago = (at) => `${seconds(Math.max(1, since(at)))} ago`;
export const credits = (n) => n?.toLocaleString('en');
// The beginning tells when a job was made, the end which one it is.
export const short = (id) => `${id.slice(0, 8)}…${id.slice(-4)}`;

export const query = (given) => `?${new URLSearchParams(
  Object.entries(given).filter(([, value]) => value),
)}`;
export function show(form) {
  page.form = form;
  redraw();
}
function arrive() {
  page.url = Object.fromEntries(new URLSearchParams(location.search));
  show(null);
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

const fail = (text, status) => { throw Object.assign(new Error(text), { status }); };
// The reply; what is no success is thrown: an Error with a sentence, and the `status`.
async function call(url, { body, key = tab.makegoodKey, signal = AbortSignal.timeout(20_000) } = {}) {
  const unsure = body ? ' Whether it was done is not known.' : '';
  const reply = await fetch(url, {
    method: body ? 'POST' : 'GET', body: JSON.stringify(body), signal,
    headers: { ...(body && { 'Content-Type': 'application/json' }),
      ...(key && { Authorization: `Bearer ${encodeURI(key)}` }) },
  }).catch(() => fail(`The service does not answer.${unsure}`));
  if (reply.ok) return reply;
  const { status } = reply;
  const wait = +reply.headers.get('Retry-After');
  if (wait) quiet = ticks + 2 * Math.min(60, wait);
  const { detail = `The service answered ${status}.${unsure}`, errors = [] } = await reply.json()
    .catch(() => ({}));
  if (status === 401 && key && key === tab.makegoodKey) signOut('The key is not taken any more.');
  fail([detail, ...errors.map(({ field, message }) => `${field}: ${message}`)].join(' '), status);
}
const get = async (url, more) => (await call(url, more)).json().catch(() => fail(
  'The answer cannot be read. Is a proxy or a login page in between?', 200,
));
export const post = (url, body) => call(url, { body });
// Free it with URL.revokeObjectURL. It may take as long as it is large.
export const file = async (url) => URL.createObjectURL(await (await call(url, { signal: null })).blob());

function touch(record, steps) {
  if (steps.filter(record.touches)[0]) record.due = Math.min(record.due, ticks + 1);
}
async function ask(record) {
  const missed = record.asking = []; // the steps that the answer may not know
  Object.assign(record, { due: Infinity, tick: ticks });
  const told = await get(record.url).then(
    (data) => ({ data, at: Date.now() + ahead, error: null }),
    (error) => ({ error }),
  );
  if (told.data?.pace) ahead = Date.parse(told.data.at) - Date.now();
  Object.assign(record, told, { asking: null, tick: ticks });
  if (told.error && ticks < quiet) overview().error = told.error; // it says so
  touch(record, missed);
  redraw();
}
// Ask again with the next picture, or when the answer is there that is on its way.
export function renew() {
  for (const record of records.values()) record.due = 0;
  redraw();
}

// What GET answers, as long as it is drawn: {data, at (ms), error (of the last try)}; asked anew every so
// many seconds, and soon after a step that `touches` it.
export function recall(url, every = 10, touches = () => false) {
  const record = Object.assign(records.get(url) ?? { url, due: 0, tick: 0 }, { every, touches, drawn });
  records.set(url, record);
  return record;
}
export const me = () => recall(`${OPS}/me`);
export const overview = () => recall(`${OPS}/overview`, 2, () => true);
export const concerns = () => recall(`${OPS}/concerns`);
export const books = () => recall(`${OPS}/books`, 3);

export async function signIn({ key, by }) {
  await get(`${OPS}/me`, { key });
  signOut();
  Object.assign(tab, { makegoodKey: key, makegoodBy: by });
}
// `dropped`: why the key is not used any more.
export function signOut(dropped = '') {
  delete tab.makegoodKey;
  page.dropped = dropped;
  stream?.abort();
  renew();
}

function hear(steps) {
  steps.forEach(page.flash);
  for (const record of records.values()) {
    record.asking?.push(...steps) ?? touch(record, steps);
  }
  redraw();
}

let stream, heard;
async function listen() {
  const { signal } = stream = new AbortController();
  heard = ticks;
  const reply = await call(`${OPS}/events`, { signal });
  renew(); // what has happened before is told by no step
  page.live = true;
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard = ticks;
    const lines = (text + value).split('\n');
    text = lines.pop();
    hear(lines.filter((line) => line.startsWith('data: ')).map((line) => JSON.parse(line.slice(6))));
  }
}
// A browser has six connections for all its tabs: one that is not seen leaves them to others.
addEventListener('visibilitychange', () => setTimeout(() => document.hidden && stream?.abort(), 10_000));
async function follow() {
  for (;;) {
    // That nobody answers is told by the answers.
    if (!document.hidden && ticks >= quiet) await listen().catch(() => {});
    page.live = false;
    await new Promise((go) => setTimeout(go, 1000 + 2000 * Math.random()));
  }
}

export function begin(what) {
  Page = what;
  root.replaceChildren();
  arrive();
  follow();
  setInterval(() => {
    ticks += 1;
    if (ticks > heard + 90) stream.abort(); // it says every 15 s that it is there
    redraw();
  }, 500);
}
