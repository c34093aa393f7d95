// The shell: the head, and the view that the address asks for.
import { begin, clock, connection, html, Link, me, onSteps, overview, plural, render, time, use, useEffect,
  useParams, useState } from './base.js';
import { Key, rules, Said, useShared } from './parts.js';
import { Concerns, concerns, ConcernsMark, Live } from './live.js';
import { BooksLine, Jobs, Money } from './views.js';

const VIEWS = {
  live: ['Live', () => html`<${Live}/><${Jobs}/>`], jobs: ['Jobs', Jobs], money: ['Money', Money],
  concerns: ['Needs a person', Concerns],
};
const WORDS = { connecting: 'Connecting …', live: 'Live', lost: 'Connection lost', refused: 'Not let in' };

// Whether what is seen is what is; if not, why, and of when it is.
function Connection() {
  const [{ state, why, again }, { at, error }, who] = [use(connection), use(overview), use(me)];
  use(clock);
  const wait = Math.round((again - Date.now()) / 1000);
  const told = why ? `${why} ${wait > 0 ? `Trying again in ${wait} s.` : 'Trying again …'}` : error?.message;
  if (who?.refused) return html`<span class="connection" role="status">Needs a key</span>`;
  return html`<span class="connection" role="status" data-state=${told ? 'lost' : state}>
    ${error && !why ? 'No fresh data' : WORDS[state]}</span>
    ${told && html`<p class="banner">${told} ${at && `You see what was known at ${time(at)}.`}</p>`}`;
}

// For screen readers: how many jobs ended, at most every 15 seconds.
function Endings() {
  const [text, tell] = useState('');
  useEffect(() => {
    let ends = {};
    onSteps((steps) => {
      for (const { money, to_state: to } of steps) if (money) ends[to] = (ends[to] ?? 0) + 1;
    });
    setInterval(() => {
      tell(Object.entries(ends).map(([to, n]) => `${plural(n, 'job')} ${to}`).join(', '));
      ends = {};
    }, 15_000);
  }, []);
  return html`<p class="hidden" aria-live="polite">${text}</p>`;
}

function Page() {
  const { view = 'live', job } = useParams();
  const refused = use(me)?.refused;
  useShared(rules, '/operations/rules');
  useShared(concerns, '/operations/concerns');
  const shown = job && view === 'live' ? 'jobs' : Object.hasOwn(VIEWS, view) ? view : 'live';
  const [title, Part] = VIEWS[shown];
  useEffect(() => { document.title = `${title} · makegood`; }, [title]);
  const links = Object.entries(VIEWS).map(([name, [label]]) => html`<${Link} to=${{ view: name }}
    aria-current=${name === shown ? 'page' : null}>${label}
    ${name === 'concerns' && html`<${ConcernsMark}/>`}<//>`);
  return html`<a class="skip" href="#main">Skip to the content</a>
    <header><h1>makegood</h1><${Connection}/>${!refused && html`<${BooksLine}/>`}<${Key}/>
      <nav aria-label="Views">${links}</nav></header>
    <main id="main" tabindex="-1">${refused ? html`<p>Who looks at this service needs a key with the scope
      “observe” or “operations”.</p>` : html`<${Part}/>`}</main><${Endings}/><${Said}/>`;
}

const root = document.getElementById('root');
root.replaceChildren();
render(html`<${Page}/>`, root);
begin();
