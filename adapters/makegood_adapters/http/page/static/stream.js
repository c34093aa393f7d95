// The steps of all jobs as they happen; a lost stream goes on where it was, without a reload.
import { call, findMe, me } from './api.js';
import { renew, signal } from './signal.js';

const SILENT_MS = 45_000; // the service says at least every 15 s that it is there

// {state: "connecting" | "live" | "lost" | "refused", why, again (when it is tried, in ms)}
export const connection = signal({ state: 'connecting' });
const listeners = new Set();
let waiting = [];
let frame, timer, last, stop;

// Call tell(steps), in order, at most once a picture; returns how to end it.
export function onSteps(tell) {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

function flush() {
  cancelAnimationFrame(frame);
  clearTimeout(timer);
  const steps = waiting;
  waiting = [];
  for (const tell of listeners) tell(steps);
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
  const reply = await call('GET', '/operations/events', { headers, signal: ending.signal });
  if (connection.value.state === 'lost') renew();
  connection.set({ state: 'live' });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const silence = setTimeout(() => ending.abort(new Error()), SILENT_MS);
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

// Begin after the step `after`, and never end.
export async function follow(after) {
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
    await new Promise((resolve) => { setTimeout(resolve, wait); });
    if (connection.value.state !== 'live') await findMe();
  }
}

// Another caller has another stream.
let who;
me.on(({ caller }) => {
  if (who && caller !== who) stop?.abort();
  who = caller;
});
