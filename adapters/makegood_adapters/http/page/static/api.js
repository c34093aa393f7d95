// Asks /v1, with the key where one was given, and tells problems in sentences.
import { renew, signal, usePolled } from './signal.js';

export const address = (name) => document.querySelector(`meta[name=makegood-${name}]`)?.content;

// What /operations/me told, {refused} where nobody may look without a key, null before.
export const me = signal(null);
export const dropped = signal(''); // why the key is not used any more
// The key, and the name that signs acts: a tab keeps them until it is closed.
const tab = sessionStorage;
export const signed = {
  get key() { return tab.makegoodKey; },
  get by() { return tab.makegoodBy ?? ''; },
  set by(name) { tab.makegoodBy = name; },
};

const url = (path, params = {}) => {
  const given = Object.entries(params).filter(([, value]) => value != null && value !== '');
  return `${address('api')}${path}${given.length ? '?' : ''}${new URLSearchParams(given)}`;
};

const problem = (message, told) => Object.assign(new Error(message), told);

function sentence({ code, detail, title, errors = [] }, status) {
  if (code === 'unavailable') return 'The service answers, but cannot reach its data.';
  const wrong = errors.map(({ field, message }) => `${field}: ${message}`);
  return [detail ?? title ?? `The service answered ${status}.`, ...wrong].join(' ');
}

// The reply; what is no success is thrown: an Error with a sentence, `status` and `code`.
export async function call(method, path, { params, body, key = signed.key, headers, signal: end } = {}) {
  const sent = { ...headers, ...(body && { 'Content-Type': 'application/json' }) };
  if (key) sent.Authorization = `Bearer ${key}`;
  const reply = await fetch(url(path, params), {
    method, headers: sent, body: body && JSON.stringify(body), signal: end ?? AbortSignal.timeout(20_000),
  }).catch(({ name }) => { throw problem('The service does not answer.', { name }); });
  if (reply.ok) return reply;
  const told = await reply.json().catch(() => ({}));
  if (reply.status === 401 && key && key === signed.key) {
    dropped.set('The key is not taken any more.');
    signOut();
  }
  throw problem(sentence(told, reply.status), { status: reply.status, code: told.code });
}

const json = async (reply) => (reply.status === 204 ? null : reply.json());
export const get = async (path, params) => json(await call('GET', path, { params }));
export const post = async (path, body) => json(await call('POST', path, { body }));
// The address of a file for <img>, <video> or a link; free it with URL.revokeObjectURL.
export const file = async (path) => URL.createObjectURL(await (await call('GET', path)).blob());
// What GET answers, kept fresh as usePolled does; without a path nothing is asked.
export const useGet = (path, params, seconds) =>
  usePolled(url(path, params), async () => path && get(path, params), seconds);

// Learn who the page is to the service, and what it may.
export const findMe = () => get('/operations/me').then(me.set, ({ status, message }) => {
  if (status === 401 || status === 403) me.set({ refused: message });
});

// Use a key and a name if the service takes the key; throws its problem.
export async function signIn({ key, by }) {
  const told = await json(await call('GET', '/operations/me', { key }));
  Object.assign(tab, { makegoodKey: key, makegoodBy: by });
  dropped.set('');
  me.set(told);
  renew();
}

export function signOut() {
  tab.removeItem('makegoodKey');
  findMe().then(renew);
}
