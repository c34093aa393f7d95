// The shell: the head, and the view that the address asks for.
import { begin, books, concerns, Form, html, Key, me, overview, page, query, time } from './parts.js';
import { Concerns, Live } from './live.js';
import { BooksLine, Jobs, Money } from './views.js';

const VIEWS = {
  live: ['Live', () => html`<${Live}/><${Jobs}/>`], jobs: ['Jobs', Jobs], money: ['Money', Money],
  concerns: ['Needs a person', Concerns],
};

function Page() {
  const { view = 'live', job } = page.url;
  const refused = [401, 403].includes(me().error?.status);
  const shown = job && view === 'live' ? 'jobs' : Object.hasOwn(VIEWS, view) ? view : 'live';
  const [title, Part] = VIEWS[shown];
  document.title = `${title} · makegood`;
  const { at, error } = refused ? {} : overview();
  page.sure = at && !error; // what is shown was so a moment ago
  const state = refused ? 'Needs a key' : error?.status ? 'No fresh data' : error ? 'Connection lost'
    : page.live && at ? 'Live' : 'Connecting …';
  if (state !== 'Connecting …') page.heard = state;
  const found = (!refused && concerns().data?.concerns) || [];
  const told = !refused && books().data?.told;
  // Each is read aloud when it changes, and nothing else.
  const aloud = [page.said, page.heard, told?.level === 'bad' && told.text.split('.')[0],
    found[0] && `Needs a person: ${found.length}`];
  const links = Object.entries(VIEWS).map(([name, [label]]) => html`<a href=${query({ view: name })}
    aria-current=${name === shown ? 'page' : null}>${label}
    ${name === 'concerns' && found[0] && html` <b class="mark ${found[0].level}">${found.length}</b>`}</a>`);
  return html`<a class="skip" href="#main">Skip to the content</a>
    <header><h1>makegood</h1><span class="connection ${state === 'Live' ? 'good' : 'warn'}">${state}</span>
      ${error && html`<p class="stale banner">${error.message} Trying again … ${
        at && `You see what was known at ${time(at)}.`}</p>`}${refused || html`<${BooksLine}/>`}
      <${Key}/><nav aria-label="Views">${links}</nav></header>
    <main id="main" tabindex="-1">${refused ? `Who looks at this service needs a key with the scope
      “observe” or “operations”.` : html`<${Part}/>`}</main>
    ${page.form && html`<${Form} ...${page.form}/>`}
    ${aloud.map((text, i) => html`<p class=${i ? 'hidden' : 'said'} role="status">${text}</p>`)}`;
}

begin(Page);
