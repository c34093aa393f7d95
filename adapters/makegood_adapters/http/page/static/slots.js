// The provider accounts: their slots as boxes, and in words what keeps one from being used.
import { Card, html, now, Paused, plural, seconds, time, use } from './tables.js';
import { overview } from './overview.js';

const BOXES_MAX = 60;
const words = (...told) => told.filter(Boolean).join(' · ');

function Account({ account, pool, capacity, open, draining, foreign, ...a }) {
  const all = Math.max(capacity, open + foreign);
  const kinds = { open: open - draining, draining, foreign, free: all - open - foreign };
  const boxes = Object.entries(kinds).flatMap(([kind, n]) => Array(n).fill(kind));
  const rest = a.rests_until && (new Date(a.rests_until) - now()) / 1000;
  return html`<li class=${a.problem ? 'unfit' : null}><div class="row"><h3>${account}</h3>
    <span class="dim">${pool !== account && `pool ${pool}`}</span><${Paused} scope="pool" name=${pool}/></div>
    <div class="boxes" aria-hidden="true">${boxes.slice(0, BOXES_MAX).map((kind) => html`<i class=${kind}/>`)}
      ${all > BOXES_MAX && `+${all - BOXES_MAX}`}</div>
    <p class="dim">${words(`${open} of ${plural(capacity, 'slot')} taken`, draining && `${draining} draining`,
      foreign && `${foreign} not ours`, a.learned != null && a.learned !== a.configured
      && `learned: ${a.learned} of ${a.configured ?? 'an unknown number'}`)}</p>
    ${a.problem && html`<p class="bad">✖ ${a.problem}</p>`}
    <p class="warn">${words(rest > 0 && `⚠ rests until ${time(a.rests_until)} (${seconds(rest)})`, a.failures
      && `⚠ the last ${plural(a.failures, 'look')} went unanswered. ${a.last_error ?? ''}`)}</p></li>`;
}

export function Slots() {
  const told = use(overview);
  const accounts = told.data?.accounts;
  return html`<${Card} id="slots" title="Slots" told=${told}><ul>${accounts?.map((a) => html`<${Account}
    key=${a.account} ...${a}/>`)}</ul>
    ${accounts && !accounts[0] && html`<p class="empty">No provider account is known: no job can start.</p>`}
    <//>`;
}
