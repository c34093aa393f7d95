// How times, spans, credits and ids are written.
let ahead = 0; // of the clock of the service before ours, in ms
export const setNow = (iso) => { ahead = Date.parse(iso) - Date.now(); };
export const now = () => Date.now() + ahead;

// 14:03:07, with the day where it is not today.
export function time(at) {
  if (at == null) return '';
  const date = new Date(at);
  const today = date.toDateString() === new Date(now()).toDateString();
  return date.toLocaleString('sv').slice(today ? 11 : 0);
}

const UNITS = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
// 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h
export function seconds(n) {
  if (n == null) return '';
  if (n < 1) return `${Math.max(0, n).toFixed(1)} s`;
  const all = Math.round(n);
  const i = UNITS.findIndex(([, size]) => all >= size);
  const [[unit, size], [small, part] = ['', all]] = UNITS.slice(i);
  const rest = Math.floor((all % size) / part);
  return `${Math.floor(all / size)} ${unit}${rest ? ` ${rest} ${small}` : ''}`;
}

export const ago = (at) => at && `${seconds((now() - new Date(at)) / 1000)} ago`;
export const credits = (n) => n?.toLocaleString('en') ?? '';
export const plural = (n, one) => `${credits(n)} ${one}${n === 1 ? '' : 's'}`;
// The beginning tells when a job was made, the end which one it is.
export const short = (id) => id && `${id.slice(0, 8)}…${id.slice(-4)}`;
