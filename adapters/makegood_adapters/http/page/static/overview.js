// Live counts: what /overview told, and every step after it; asked anew every ten seconds and after a gap.
import { get } from './api.js';
import { setNow } from './format.js';
import { signal, turns } from './signal.js';
import { follow, gaps, onSteps } from './stream.js';

const EVERY_MS = 10_000;
// {data, at, error}; `data` as the operation tells it, with `types` counted on. Null before the first answer.
export const overview = signal({});
let recent = []; // steps that the next answer may not know yet
let timer;
let turn = 0;

const add = (counts, state, n) => {
  if (state in counts || n > 0) counts[state] = Math.max(0, (counts[state] ?? 0) + n);
};

function count(type, step, over, capped) {
  const from = type.states[step.from_state];
  if (from < capped) add(type.states, step.from_state, -1);
  const to = over(step) ? type.ended : type.states;
  if (!(to[step.to_state] >= capped)) add(to, step.to_state, 1);
}

function counted(data, steps) {
  const types = new Map(data.types.map((type) => [type.name, {
    ...type, states: { ...type.states }, ended: { ...type.ended },
  }]));
  for (const step of steps) {
    const type = types.get(step.type);
    if (type) count(type, step, (s) => s.money != null, data.capped ?? type.capped ?? Infinity);
  }
  return { ...data, types: [...types.values()] };
}

onSteps((steps) => {
  recent.push(...steps);
  const { data } = overview.value;
  const after = steps.filter((step) => !data || step.seq > data.last_seq);
  if (data && after.length) overview.set({ ...overview.value, data: counted(data, after) });
});

// Ask now. The first answer says where the stream begins.
export async function look() {
  clearTimeout(timer);
  const mine = turn += 1;
  try {
    const data = await get('/operations/overview');
    if (mine !== turn) return;
    setNow(data.at);
    recent = recent.filter((step) => step.seq > data.last_seq);
    const first = !overview.value.at;
    overview.set({ data: counted(data, recent), at: Date.now() });
    if (first) follow(data.last_seq);
  } catch (error) {
    if (mine === turn) overview.set({ ...overview.value, error });
  }
  if (mine === turn) timer = setTimeout(look, overview.value.at ? EVERY_MS : 2_000);
}
turns.on(look);
gaps.on(look);
