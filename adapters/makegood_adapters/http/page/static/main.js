// The shell: the head, and the view that the address asks for.
import { begin, concerns, html, me, overview, page, query, time } from './base.js';
import { Form, Key } from './parts.js';
import { Concerns, Live } from './live.js';
import { BooksLine, Jobs, Money } from './views.js';

const VIEWS = {
  live: ['Live', () => html`<${Live}/><${Jobs}/>`], jobs: ['Jobs', Jobs], money: ['Money', Money],
  concerns: ['Needs a person', Concerns],
};

// Whether what is seen is what is; if not, why, and of when it is.
function Connection() {
  const { at, error } = overview();
  const state = error?.status ? 'No fresh data' : error ? 'Connection lost'
    : page.live && at ? 'Live' : 'Connecting …';
  return html`<span class="connection ${state === 'Live' ? 'good' : 'warn'}" role="status">${state}</span>
    ${error && html`<p class="stale banner">${error.message} Trying again … ${
      at && `You see what was known at ${time(at)}.`}</p>`}`;
}

function Page() {
  const { view = 'live', job } = page.url;
  const refused = [401, 403].includes(me().error?.status);
  const shown = job && view === 'live' ? 'jobs' : Object.hasOwn(VIEWS, view) ? view : 'live';
  const [title, Part] = VIEWS[shown];
  document.title = `${title} · makegood`;
  const found = refused ? [] : concerns().data?.concerns ?? [];
  const links = Object.entries(VIEWS).map(([name, [label]]) => html`<a href=${query({ view: name })}
    aria-current=${name === shown ? 'page' : null}>${label}
    ${name === 'concerns' && found[0] && html` <b class="mark ${found[0].level}">${found.length}</b>`}</a>`);
  return html`<a class="skip" href="#main">Skip to the content</a>
    <header><h1>makegood</h1>${refused ? html`<span class="connection warn" role="status">Needs a key</span>`
      : html`<${Connection}/><${BooksLine}/>`}<${Key}/><nav aria-label="Views">${links}</nav></header>
    <main id="main" tabindex="-1">${refused ? html`<p>Who looks at this service needs a key with the scope
      “observe” or “operations”.</p>` : html`<${Part}/>`}</main>
    ${page.form && html`<${Form} ...${page.form}/>`}
    <p class="said" role="status">${page.said}</p>`;
}

begin(Page);
