// What needs a person, and what persons did.
import { ago, Card, html, Link, short, signal, Table, time, use, useEffect, useGet } from './tables.js';

const concerns = signal({});

// Behind the name of the view: how many. It asks for all who show them.
export function ConcernsMark() {
  const told = useGet('/operations/concerns');
  useEffect(() => concerns.set({ ...told }), [told.at, told.error]);
  const found = told.data?.concerns ?? [];
  const alarm = found.some(({ level }) => level === 'alarm');
  return found[0] && html` <b class="mark ${alarm && 'alarm'}">${found.length}</b>`;
}

const Concern = ({ level, what, todo, since, job_id: job }) => html`<li class=${level}>
  <p><b>${level === 'alarm' ? '✖ Alarm.' : '⚠ Warning.'}</b> ${what}</p><p>${todo}</p>
  <p class="dim">${since && `Since ${time(since)}, ${ago(since)}. `}
    ${job && html`<${Link} to=${{ job }}>Job ${short(job)}<//>`}</p></li>`;

const COLUMNS = ['at', 'by', 'key', 'act', 'subject', 'reason', 'outcome'];

export function Concerns() {
  const told = use(concerns);
  const found = told.data?.concerns;
  const acts = useGet('/operations/acts');
  const done = acts.data?.acts;
  return html`<${Card} id="concerns" title="Needs a person" told=${told}>
    ${found && !found[0] && html`<p class="empty good">✓ Nothing needs a person.</p>`}
    <ul>${found?.map((c) => html`<${Concern} key=${c.kind + c.subject} ...${c}/>`)}</ul><//>
    <${Card} id="acts" title="What operators did over the API" told=${acts}>${done?.[0] ? html`<${Table}
      title="Newest first, also what was refused" cols=${COLUMNS} rows=${done}/>`
    : done && html`<p class="empty">Nothing yet.</p>`}<//>`;
}
