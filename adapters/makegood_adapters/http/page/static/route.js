// What the address asks for: parameters behind the question mark; no page is loaded for them.
import { signal, use } from './signal.js';
import { html } from './vendor/preact.js';

const read = () => Object.fromEntries(new URLSearchParams(location.search));
const asked = signal(read());
export const params = () => asked.value;
// As params(), for a part that follows it.
export const useParams = () => use(asked);
addEventListener('popstate', () => asked.set(read()));

const addressOf = (wanted) => `?${new URLSearchParams(Object.entries(wanted).filter(([, value]) => value))}`;

// Change what the address asks for; null or '' takes a parameter away, `fresh` all others.
export function navigate(changes, { fresh, replace } = {}) {
  const to = addressOf({ ...(!fresh && params()), ...changes });
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  asked.set(read());
}

// A link inside the page, to `to` alone.
export function Link({ to, children, ...rest }) {
  const go = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    navigate(to, { fresh: true });
  };
  return html`<a href=${addressOf(to)} onClick=${go} ...${rest}>${children}</a>`;
}
