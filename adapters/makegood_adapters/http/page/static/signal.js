// Values that change, and the parts of the page that follow them.
import { useEffect, useLayoutEffect, useReducer, useRef } from './vendor/preact.js';

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
// The value of a signal; the part is drawn again when it changes.
export function use(what) {
  const again = useAgain();
  useLayoutEffect(() => what.on(again), [what]);
  return what.value;
}

// Whoever shows answers asks again at once: signed in, an act was done, the connection is back.
export const turns = signal(0);
export const renew = () => turns.set(turns.value + 1);

// What ask() answers, every so many seconds: {data, at (ms), error (of the last try), again()}; another key
// begins anew.
export function usePolled(key, ask, every = 10) {
  const again = useAgain();
  const kept = useRef({});
  if (kept.current.key !== key) kept.current = { key };
  useEffect(() => {
    const mine = kept.current;
    let timer, turn = 0;
    mine.again = async () => {
      const now = turn += 1;
      const told = await ask()
        .then((data) => ({ data, at: Date.now(), error: null }), (error) => ({ error }));
      if (now !== turn) return; // asked anew meanwhile, or shown no more
      again(Object.assign(mine, told));
      clearTimeout(timer);
      timer = setTimeout(mine.again, every * (document.hidden ? 6000 : 1000));
    };
    mine.again();
    const off = turns.on(mine.again);
    return () => { turn = -1; off(); clearTimeout(timer); };
  }, [key]);
  return kept.current;
}
