// What the page knows: values, its address, the API, the stream of steps, the live counts.
import { html, useEffect, useLayoutEffect, useReducer, useRef } from './vendor/preact.js';

export * from './vendor/preact.js';

export function signal(value) {
  const heard = new Set();
  return {
    get value() { return value; },
    set(next) {
      value = next;
      for (const tell of [...heard]) tell(next);
    },
    on(tell) {
      heard.add(tell);
      return () => heard.delete(tell);
    },
  };
}

const useAgain = () => useReducer((n) => n + 1, 0)[1];
export function use(what) {
  const again = useAgain();
  useLayoutEffect(() => what.on(again), []);
  return what.value;
}

export const clock = signal(0);
setInterval(() => clock.set(clock.value + 1), 1000);
// Whoever shows answers asks again at once.
const turns = signal();
export const renew = () => turns.set();

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
export const plural = (n, one) => `${credits(n)} ${one}${n === 1 ? '' : 's'}`;
// The beginning tells when a job was made, the end which one it is.
export const short = (id) => `${id.slice(0, 8)}…${id.slice(-4)}`;

const read = () => Object.fromEntries(new URLSearchParams(location.search));
const asked = signal(read());
export const params = () => asked.value;
export const useParams = () => use(asked);
addEventListener('popstate', () => asked.set(read()));
const query = (given) => `?${new URLSearchParams(Object.entries(given).filter(([, value]) => value))}`;

// Change what the address asks for; what is empty is taken away.
export function navigate(changes, rest = params()) {
  history.pushState(null, '', query({ ...rest, ...changes }));
  asked.set(read());
}

export function Link({ to, children, ...rest }) {
  const go = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    navigate(to, {});
  };
  return html`<a href=${query(to)} onClick=${go} ...${rest}>${children}</a>`;
}

export const address = (name) => document.querySelector(`meta[name=makegood-${name}]`)?.content;
export const me = signal(null); // {refused} where nobody may look without a key
export const dropped = signal(''); // why the key is not used any more
export const tab = sessionStorage; // the key, and the name that signs acts

const fault = (message, told) => Object.assign(new Error(message), told);

// The reply; what is no success is thrown: an Error with a sentence, `status` and `code`.
async function call(path, { body, key = tab.makegoodKey, headers, signal: end } = {}) {
  const reply = await fetch(address('api') + path, {
    method: body ? 'POST' : 'GET',
    body: body && JSON.stringify(body),
    signal: end ?? AbortSignal.timeout(20_000),
    headers: { ...headers, ...(body && { 'Content-Type': 'application/json' }),
      ...(key && { Authorization: `Bearer ${key}` }) },
  }).catch(({ name }) => { throw fault('The service does not answer.', { name }); });
  if (reply.ok) return reply;
  const { status } = reply;
  const problem = await reply.json().catch(() => ({}));
  const { code, detail = `The service answered ${status}.`, errors = [] } = problem;
  if (status === 401 && key && key === tab.makegoodKey) {
    dropped.set('The key is not taken any more.');
    signOut();
  }
  throw fault(code === 'unavailable' ? 'The service answers, but cannot reach its data.'
    : [detail, ...errors.map(({ field, message }) => `${field}: ${message}`)].join(' '), { status, code });
}

const json = async (reply) => (reply.status === 204 ? null : reply.json());
export const get = async (path, more) => json(await call(path, more));
export const post = (path, body) => get(path, { body });
// Free it with URL.revokeObjectURL.
export const file = async (path) => URL.createObjectURL(await (await call(path)).blob());

const findMe = () => get('/operations/me').then(me.set, ({ status, message }) => {
  if (status === 401 || status === 403) me.set({ refused: message });
});
export async function signIn({ key, by }) {
  const told = await get('/operations/me', { key });
  Object.assign(tab, { makegoodKey: key, makegoodBy: by });
  dropped.set('');
  me.set(told);
  renew();
}
export function signOut() {
  tab.removeItem('makegoodKey');
  findMe().then(renew);
}

const answer = (asking) => asking.then(
  (data) => ({ data, at: Date.now(), error: null }),
  (error) => ({ error }),
);

// What GET answers: {data, at (ms), error (of the last try), again()}; asked anew every so many seconds, and
// when a step `touches` it.
export function useGet(path, given = {}, every = 10, touches = () => false) {
  const again = useAgain();
  const key = path && path + query(given);
  const kept = useRef({});
  if (kept.current.key !== key) kept.current = { key };
  useEffect(() => {
    const mine = kept.current;
    let timer, soon, turn = 0;
    mine.again = async () => {
      soon = null;
      const now = turn += 1;
      const told = await answer(get(key));
      if (now !== turn) return; // asked anew meanwhile, or shown no more
      again(Object.assign(mine, told));
      clearTimeout(timer);
      timer = setTimeout(mine.again, every * (document.hidden ? 6000 : 1000));
    };
    if (!path) return;
    mine.again();
    const ends = [turns.on(mine.again), onSteps((steps) => {
      if (steps.some(touches)) soon ??= setTimeout(mine.again, 400);
    })];
    return () => {
      turn = -1;
      [timer, soon].map(clearTimeout);
      for (const end of ends) end();
    };
  }, [key]);
  return kept.current;
}

// {state: "connecting" | "live" | "lost" | "refused", why, again (when it is tried, in ms)}
export const connection = signal({ state: 'connecting' });
const passed = signal();
export const onSteps = passed.on; // tells batches, in order, at most one a picture
let waiting = [];
let frame, silence, last, stop, timer;

function flush() {
  cancelAnimationFrame(frame);
  clearTimeout(timer);
  passed.set(waiting.splice(0));
}

function take(step) {
  last = step.seq;
  if (waiting.push(step) > 1) return;
  frame = requestAnimationFrame(flush);
  timer = setTimeout(flush, 1_000); // there are no pictures while nobody looks
}

async function listen() {
  const ending = stop = new AbortController();
  const headers = last == null ? {} : { 'Last-Event-ID': `${last}` };
  const reply = await call('/operations/events', { headers, signal: ending.signal });
  if (connection.value.state === 'lost') renew();
  connection.set({ state: 'live' });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    silence = setTimeout(() => ending.abort(new Error()), 45_000); // it says every 15 s that it is there
    const { done, value } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    const blocks = (text + value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.match(/^data: (.*)/m);
      if (data) take(JSON.parse(data[1]));
    }
  }
}

async function follow(after) {
  last = after;
  for (let tries = 0; ; tries += 1) {
    let wait = 100; // a stream has its time; the next one goes on at once
    try {
      await listen();
      tries = 0;
    } catch ({ name, code, status, message }) {
      if (code === 'invalid_event_id') last = null; // another database, or an older one
      else if (name !== 'AbortError') {
        if (connection.value.state === 'live') tries = 0;
        wait = Math.min(8_000, 500 * 2 ** tries) * (0.8 + 0.4 * Math.random());
        const why = status || message.startsWith('The') ? message : 'The stream has broken off.';
        const state = status === 401 || status === 403 ? 'refused' : 'lost';
        connection.set({ state, why, again: Date.now() + wait });
      }
    }
    await new Promise((go) => { setTimeout(go, wait); });
    if (connection.value.state !== 'live') await findMe();
  }
}

let who;
me.on(({ caller }) => {
  if (who && caller !== who) stop?.abort(); // another caller has another stream
  who = caller;
});

// What /overview told, with every step after it counted.
export const overview = signal({});
let told = {}, steps = [], turn = 0, next;

function count() {
  const data = structuredClone(told.data);
  for (const { type, seq, from_state: from, to_state: to, money } of data ? steps : []) {
    const { states, ended, capped } = data.types.find(({ name }) => name === type) ?? {};
    if (!states || seq <= data.last_seq) continue;
    const into = money ? ended : states; // the last step alone tells the money
    if (states[from] > 0 && states[from] < capped) states[from] -= 1;
    if (!(into[to] >= capped)) into[to] = (into[to] ?? 0) + 1;
  }
  overview.set({ ...told, data });
}
onSteps((more) => {
  steps.push(...more);
  count();
});

async function look() {
  clearTimeout(next);
  const mine = turn += 1, begun = told.at;
  const found = await answer(get('/operations/overview'));
  if (mine !== turn) return;
  told = { ...told, ...found };
  next = setTimeout(look, 2e3); // no step tells of slots
  if (!told.error) {
    if (!me.value) findMe();
    ahead = Date.parse(told.data.at) - Date.now();
    steps = steps.filter(({ seq }) => seq > told.data.last_seq);
  }
  count();
  if (!begun && told.at) follow(told.data.last_seq);
}
turns.on(look);

export function begin() {
  findMe();
  look();
}
