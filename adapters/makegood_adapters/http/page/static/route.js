// What the address asks for: parameters behind the question mark, and no page is loaded for them.
import { signal, use } from './signal.js';
import { html } from './vendor/preact.js';

export const asked = signal(new URLSearchParams(location.search));
// What the address asks for, as an object; a part that shall follow it calls useParams().
export const params = () => Object.fromEntries(asked.value);
export const useParams = () => Object.fromEntries(use(asked));

const addressOf = (changes, all = params()) => {
  const next = Object.entries({ ...all, ...changes }).filter(([, value]) => value != null && value !== '');
  return `?${new URLSearchParams(next)}`;
};

// Change what the address asks for; null or '' takes a parameter away, `fresh` all others.
export function navigate(changes, { fresh = false, replace = false } = {}) {
  const to = addressOf(changes, fresh ? {} : params());
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  asked.set(new URLSearchParams(to));
}
addEventListener('popstate', () => asked.set(new URLSearchParams(location.search)));

// A link inside the page: works as a link, and without loading the page again.
export function Link({ to, children, ...rest }) {
  const go = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    navigate(to, { fresh: true });
  };
  return html`<a href=${addressOf(to, {})} onClick=${go} ...${rest}>${children}</a>`;
}
