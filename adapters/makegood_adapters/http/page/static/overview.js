// Live counts: what /overview told and every step after it; asked again every ten seconds.
import { findMe, get, me } from './api.js';
import { setNow } from './format.js';
import { signal, turns } from './signal.js';
import { follow, onSteps } from './stream.js';

// {data, at (ms), error}: `data` as the operation tells it, with its types counted on.
export const overview = signal({});
let recent = []; // steps that an answer under way may not know
let timer, turn = 0;

function count({ states, ended, capped }, { from_state: from, to_state: to, money }) {
  const into = money ? ended : states; // the last step alone tells the money
  if (states[from] > 0 && states[from] < capped) states[from] -= 1;
  if (!(into[to] >= capped)) into[to] = (into[to] ?? 0) + 1;
}

function counted(data, steps) {
  const types = data.types.map((type) => ({ ...type, states: { ...type.states }, ended: { ...type.ended } }));
  const named = new Map(types.map((type) => [type.name, type]));
  for (const step of steps) if (named.has(step.type)) count(named.get(step.type), step);
  return { ...data, types };
}

onSteps((steps) => {
  recent.push(...steps);
  const { data } = overview.value;
  const later = data && steps.filter((step) => step.seq > data.last_seq);
  if (later?.length) overview.set({ ...overview.value, data: counted(data, later) });
});

// Ask now; the first answer says where the stream begins.
export async function look() {
  clearTimeout(timer);
  const mine = turn += 1;
  const begun = overview.value.at;
  const told = await get('/operations/overview').then((data) => ({ data }), (error) => ({ error }));
  if (mine !== turn) return;
  timer = setTimeout(look, begun && !told.error ? 10_000 : 2_000);
  const { data } = told;
  if (!data) return void overview.set({ ...overview.value, ...told });
  if (!me.value) findMe();
  setNow(data.at);
  recent = recent.filter((step) => step.seq > data.last_seq);
  overview.set({ data: counted(data, recent), at: Date.now() });
  if (!begun) follow(data.last_seq);
}
turns.on(look);
