// Credits: whether the books are right, what has moved, and what one owner has.
import { ActButton, ago, back, Card, clock, credits, Filter, html, Pages, REASON, Stale, Table, use, useGet,
  useLive, useParams } from './tables.js';

const BROKEN = ['code', 'invariant', 'subject', 'owner', 'job_id'];

// Whether all credits are somewhere, as of when; a click lists what is wrong.
export function BooksLine() {
  const { data: books, error } = useGet('/operations/books', {}, 10);
  use(clock);
  if (!books) return html`<${Stale} error=${error}/>`;
  const { difference: off, broken, violations } = books;
  const parts = ['remaining', 'held', 'captured', 'expired'].map((part) => `${part} ${credits(books[part])}`);
  const sum = html`issued ${credits(books.issued)} = ${parts.join(' + ')}
    <small> as of ${ago(books.at)}</small>`;
  return off || broken ? html`<details class="money bad"><summary>✗ The books are wrong: ${
    credits(off)} off, ${broken} broken. ${sum}</summary>
    <${Table} title="What is broken" cols=${BROKEN} rows=${violations}/></details>`
    : html`<p class="money good">✓ ${sum}</p>`;
}

const BUCKETS = ['kind', 'remaining', 'held', 'expires_at', 'source_ref'];
const GRANT = [{ name: 'amount', label: 'Credits', type: 'number', required: true },
  { name: 'source_ref', label: 'Order or ticket; each adds its credits once', required: true }, REASON];

function Wallet({ owner }) {
  const at = `/owners/${encodeURIComponent(owner)}`;
  const got = useLive(`/operations${at}/wallet`, {}, (step) => step.owner === owner);
  const { unlimited, available, held, debt, buckets } = got.data ?? {};
  const title = html`Wallet of <bdi>${owner}</bdi>`;
  return html`<${Card} title=${title} id="wallet" told=${got}>
    ${got.data && html`<p><b>${unlimited ? 'unlimited' : credits(available)}</b> to spend, <b>${
      credits(held)}</b> held for jobs${debt > 0 && html`, <b class="bad">${credits(debt)} owed</b>`}</p>`}
    <${Table} title="Buckets, those first that are spent first" cols=${BUCKETS} rows=${buckets}/>
    <${ActButton} label="Grant credits" title="Grant credits to ${owner}" path="${at}/grants"
      fields=${GRANT} credits/><//>`;
}

const LEDGER = ['at', 'owner', 'text', 'change', 'balance', 'job_id'];

// The wallet of the owner in the address, and the ledger.
export function Money() {
  const { owner = '', after } = useParams();
  const touches = (step) => !after && owner === (owner && step.owner);
  const got = useLive('/operations/ledger', { owner, after }, touches);
  const { entries, next } = got.data ?? {};
  const row = ({ cursor, kind }) => ({ key: cursor, class: back(kind) });
  return html`${owner && html`<${Wallet} key=${owner} owner=${owner}/>`}
    <${Card} title="Ledger" id="ledger" told=${got}><div class="row filters">
    <${Filter} name="owner"/></div>
    <${Table} title="Movements, newest first" cols=${LEDGER} rows=${entries} row=${row}
      none="No credits have moved."/><${Pages} next=${next}/><//>`;
}
