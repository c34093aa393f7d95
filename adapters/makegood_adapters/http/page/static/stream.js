// The steps of all jobs as they happen: one stream that goes on where it was lost, without a reload.
import { call, dropped, findMe, me } from './api.js';
import { renew, signal } from './signal.js';

const SILENT_MS = 45_000; // the service sends something at least every 15 s
const AGAIN_MS = [500, 1_000, 2_000, 4_000, 8_000];
const WAITING_MAX = 20_000;

// {state: "connecting" | "live" | "lost" | "refused", since, why, again (when it is tried)}; times in ms.
export const connection = signal({ state: 'connecting', since: Date.now() });
// Counts how often steps may be missing, so that whoever counts must ask anew.
export const gaps = signal(0);

const listeners = new Set();
let waiting = [];
let frame;
let timer;
let last; // seq of the last step that came
let stop = new AbortController();

// Call `tell` with what came since the last picture, in order; returns how to end it.
export function onSteps(tell) {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

function flush() {
  cancelAnimationFrame(frame);
  clearTimeout(timer);
  frame = timer = undefined;
  const batch = waiting;
  waiting = [];
  for (const tell of listeners) tell(batch);
}

function take(step) {
  last = step.seq;
  if (waiting.push(step) > WAITING_MAX) {
    waiting = [];
    gaps.set(gaps.value + 1);
  }
  if (frame) return;
  frame = requestAnimationFrame(flush);
  timer = setTimeout(flush, 1_000); // nobody looks: there are no pictures then
}

function is(state, more) {
  const was = connection.value;
  connection.set({ state, since: was.state === state ? was.since : Date.now(), ...more });
}

// Yield the blocks of a stream of server-sent events: what stands between two empty lines.
async function* blocksOf(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const blocks = (text + value).split('\n\n');
    text = blocks.pop();
    yield* blocks;
  }
}

async function listen() {
  const ending = stop = new AbortController();
  let silence;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => ending.abort(), SILENT_MS);
  };
  heard();
  try {
    const headers = { Accept: 'text/event-stream', ...(last != null && { 'Last-Event-ID': String(last) }) };
    const reply = await call('GET', '/operations/events', { headers, signal: ending.signal });
    const back = connection.value.state !== 'live';
    is('live');
    if (back) renew();
    for await (const block of blocksOf(reply.body, heard)) {
      const data = block.split('\n').find((line) => line.startsWith('data: '));
      if (data) take(JSON.parse(data.slice(6)));
    }
  } finally {
    clearTimeout(silence);
  }
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Begin after the step `after`, and never end.
export async function follow(after) {
  last ??= after;
  for (let tries = 0; ; tries += 1) {
    try {
      await listen();
      tries = -1; // a stream has its time; the next one goes on at once
    } catch (problem) {
      if (problem.code === 'invalid_event_id') { // the database is another one, or older
        last = undefined;
        gaps.set(gaps.value + 1);
        continue;
      }
      if (connection.value.state === 'live') tries = 0;
      const wait = AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)] * (0.8 + 0.4 * Math.random());
      const state = [401, 403].includes(problem.status) ? 'refused' : 'lost';
      is(state, { why: problem.message ?? 'The stream broke off.', again: Date.now() + wait });
      await pause(wait);
      await findMe().catch(() => {});
      continue;
    }
    await pause(100);
  }
}

// Another key sees the stream through another caller.
let signedAs;
me.on((told) => {
  if (signedAs !== told?.caller && signedAs !== undefined) stop.abort();
  signedAs = told?.caller;
});
