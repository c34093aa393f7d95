// Values that change, and the parts of the page that show them.
import { useEffect, useLayoutEffect, useReducer, useRef } from './vendor/preact.js';

export function signal(value) {
  const listeners = new Set();
  return {
    get value() { return value; },
    set(next) {
      if (next === value) return;
      value = next;
      for (const tell of [...listeners]) tell(next);
    },
    on(tell) {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
  };
}

const useAgain = () => useReducer((n) => n + 1, 0)[1];

// The value of a signal; the part is drawn again when it changes.
export function use(what) {
  const again = useAgain();
  const seen = what.value;
  useLayoutEffect(() => {
    if (what.value !== seen) again();
    return what.on(again);
  }, [what]);
  return seen;
}

// Counts up when answers may have changed at once: signed in, an act was done, the connection is back.
export const turns = signal(0);
export const renew = () => turns.set(turns.value + 1);

// What `ask()` answers, asked again every so many seconds, less often while nobody looks:
// {data, at (when, in ms), error (the last try failed), again()}. Another `key` begins anew.
export function usePolled(key, ask, seconds = 10) {
  const again = useAgain();
  const state = useRef({});
  if (state.current.key !== key) state.current = { key };
  useEffect(() => {
    const mine = state.current;
    let over = false;
    let timer;
    const look = async () => {
      clearTimeout(timer);
      const turn = mine.turn = (mine.turn ?? 0) + 1;
      try {
        const data = await ask();
        if (turn === mine.turn) Object.assign(mine, { data, at: Date.now(), error: undefined });
      } catch (error) {
        if (turn === mine.turn) mine.error = error;
      }
      if (over || turn !== mine.turn) return;
      again();
      timer = setTimeout(look, seconds * 1000 * (document.hidden ? 6 : 1));
    };
    mine.again = look;
    look();
    const off = turns.on(look);
    return () => {
      over = true;
      clearTimeout(timer);
      off();
    };
  }, [key, seconds]);
  return state.current;
}
