// The shell: what the address asks for, the head, and the views.
import { Key, Said } from './acts.js';
import { findMe, me } from './api.js';
import { Concerns, ConcernsMark } from './concerns.js';
import { Diagram } from './diagram.js';
import { seconds, time } from './format.js';
import { Job } from './job.js';
import { Jobs } from './jobs.js';
import { BooksLine, Money } from './money.js';
import { look, overview } from './overview.js';
import { Queue } from './queue.js';
import { Link, navigate, params, useParams } from './route.js';
import { use } from './signal.js';
import { Slots, Workers } from './slots.js';
import { Stage } from './stage.js';
import { connection } from './stream.js';
import { html, render, useEffect, useState } from './vendor/preact.js';

export { Link, navigate, params, useParams };

const Live = () => html`<${Stage}/>
  <div class="live"><${Diagram}/><div class="side"><${Slots}/><${Queue}/></div></div>
  <${Jobs}/><${Workers}/>`;
const VIEWS = {
  live: ['Live', Live], jobs: ['Jobs', Jobs], money: ['Money', Money], concerns: ['Needs a person', Concerns],
};

const WORDS = { connecting: 'connecting …', live: 'live', lost: 'connection lost', refused: 'not let in' };
function Connection() {
  const { state, why, again } = use(connection);
  const { at } = use(overview);
  const [, tick] = useState(0);
  useEffect(() => {
    if (state !== 'lost') return undefined;
    const timer = setInterval(() => tick(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [state]);
  const wait = Math.max(0, Math.ceil((again - Date.now()) / 1000));
  return html`<span class="connection ${state}" role="status"><b>${WORDS[state]}</b></span>
    ${state === 'lost' && html`<p class="banner">${why} ${at && `What you see is as of ${time(at)}. `}
      ${wait ? `Trying again in ${seconds(wait)}.` : 'Trying again now …'}</p>`}`;
}

function Head({ view }) {
  return html`<header><h1>makegood</h1><${Connection}/><${BooksLine}/><${Key}/>
    <nav aria-label="Views">${Object.entries(VIEWS).map(([name, [label]]) => html`<${Link}
      to=${{ view: name }} aria-current=${name === view ? 'page' : null}>${label}
      ${name === 'concerns' && html`<${ConcernsMark}/>`}<//>`)}</nav></header>`;
}

function Page() {
  const { view = 'live', job } = useParams();
  const may = use(me);
  const [, Part] = VIEWS[view] ?? VIEWS.live;
  return html`<a class="skip" href="#main">Skip to the content</a><${Head} view=${view}/>
    <main id="main" tabindex="-1">${may?.refused
    ? html`<p class="empty">${may.refused} Enter a key with the scope “observe” or “operations”.</p>`
    : job ? html`<${Job} key=${job} id=${job}/>` : html`<${Part}/>`}</main><${Said}/>`;
}

async function begin() {
  try {
    await findMe();
  } catch { // it is asked for again with the stream
    setTimeout(begin, 2_000);
  }
}

document.getElementById('root').replaceChildren();
render(html`<${Page}/>`, document.getElementById('root'));
begin();
look();
