// How times, spans, credits and ids are written.
const two = (n) => String(n).padStart(2, '0');
let ahead = 0; // how far the clock of the service is ahead of this one, in ms

export const setNow = (iso) => { ahead = Date.parse(iso) - Date.now(); };
export const now = () => Date.now() + ahead;

// 14:03:07, with the day where it is another than today.
export function time(at) {
  if (at == null) return '';
  const date = new Date(at);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return date.toDateString() === new Date(now()).toDateString() ? clock : `${day} ${clock}`;
}

// 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h
export function seconds(n) {
  if (n == null) return '';
  if (n < 9.95) return `${Math.max(0, n).toFixed(n < 1 ? 1 : 0)} s`;
  const s = Math.round(n);
  const [big, rest] = s < 60 ? [`${s} s`, 0] : s < 3600 ? [`${Math.floor(s / 60)} min`, s % 60]
    : s < 86400 ? [`${Math.floor(s / 3600)} h`, Math.floor((s % 3600) / 60)]
      : [`${Math.floor(s / 86400)} d`, Math.floor((s % 86400) / 3600)];
  return rest ? `${big} ${rest} ${s < 3600 ? 's' : s < 86400 ? 'min' : 'h'}` : big;
}

export const ago = (at) => (at == null ? '' : `${seconds((now() - new Date(at)) / 1000)} ago`);
export const credits = (n) => (n == null ? '' : n.toLocaleString('en'));
export const plural = (n, one) => `${credits(n)} ${one}${n === 1 ? '' : 's'}`;
// The beginning tells when a job was made, the end which one it is.
export const short = (id) => (id ? `${id.slice(0, 8)}…${id.slice(-4)}` : '');
