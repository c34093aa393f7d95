// Asks /v1, with the key where one was given, and tells problems in sentences.
import { renew, signal, usePolled } from './signal.js';

export const address = (name) => document.querySelector(`meta[name="makegood-${name}"]`)?.content;
const base = address('api') ?? '/v1';
const ANSWER_MS = 20_000;

// What `/operations/me` told last, {refused} where nobody may look without a key, null before.
export const me = signal(null);
// The key and the name with which acts are signed; a tab keeps them until it is closed.
export const signed = {
  get key() { return sessionStorage.getItem('makegood-key'); },
  get by() { return sessionStorage.getItem('makegood-by') ?? ''; },
};
export const dropped = signal(''); // why the key is not used any more

export class Problem extends Error {
  constructor(sentence, status = 0, told = {}) {
    super(sentence);
    Object.assign(this, { status, code: told.code, told });
  }
}

const url = (path, params = {}) => {
  const given = Object.entries(params).filter(([, value]) => value != null && value !== '');
  return base + path + (given.length ? `?${new URLSearchParams(given)}` : '');
};

const sentence = (status, told) => {
  if (told.code === 'unavailable') return 'The service answers, but cannot read or write its data now.';
  const wrong = (told.errors ?? []).map(({ field, message }) => `${field}: ${message}`);
  return [told.detail ?? told.title ?? `The service answered ${status}.`, ...wrong].join(' ');
};

async function problemOf(reply) {
  const told = await reply.json().catch(() => ({}));
  return new Problem(sentence(reply.status, told), reply.status, told);
}

// The reply to a request; a Problem is thrown for whatever is no success.
export async function call(method, path, { params, body, key = signed.key, headers = {}, signal } = {}) {
  const sent = { ...headers, ...(key && { Authorization: `Bearer ${key}` }) };
  if (body) sent['Content-Type'] = 'application/json';
  let reply;
  try {
    reply = await fetch(url(path, params), {
      method, headers: sent, body: body && JSON.stringify(body), cache: 'no-store',
      signal: signal ?? AbortSignal.timeout(ANSWER_MS),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(error.name === 'TimeoutError'
      ? 'The service has not answered in 20 seconds.' : 'The service does not answer.');
  }
  if (reply.ok) return reply;
  const problem = await problemOf(reply);
  if (reply.status === 401 && key && key === signed.key) {
    dropped.set(`The key is not taken any more. ${problem.message}`);
    signOut();
  }
  throw problem;
}

const json = async (reply) => (reply.status === 204 ? null : reply.json());
export const get = async (path, params) => json(await call('GET', path, { params }));
export const post = async (path, body = {}) => json(await call('POST', path, { body }));
// The address of a file's content for <img>, <video> or a link; free it with URL.revokeObjectURL.
export const file = async (path) => URL.createObjectURL(await (await call('GET', path)).blob());

// What a GET answers, kept fresh: see usePolled; null as path asks nothing.
export const useGet = (path, params, seconds) =>
  usePolled(url(path ?? '', params), () => (path ? get(path, params) : null), seconds);

// Ask who the page is; also when the service is back, so that the page knows what it may.
export async function findMe() {
  try {
    me.set(await get('/operations/me'));
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) me.set({ refused: problem.message });
    else throw problem;
  }
}

// Take a key that the service takes, and the name of who acts; throws the Problem of one that it does not.
export async function signIn(key, by) {
  const told = await json(await call('GET', '/operations/me', { key }));
  sessionStorage.setItem('makegood-key', key);
  sessionStorage.setItem('makegood-by', by);
  dropped.set('');
  me.set(told);
  renew();
}

export function signOut() {
  sessionStorage.removeItem('makegood-key');
  findMe().catch(() => {}).then(renew);
}
