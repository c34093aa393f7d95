// Small parts that several views share.
import { time } from './format.js';
import { html } from './vendor/preact.js';

// Why what is shown may be old, and of when it is; nothing where it is fresh.
export const Stale = ({ at, error }) => error && html`<p class="stale" role="status">
  ${at ? `As of ${time(at)}. ` : ''}${error.message}${at ? '' : ' Nothing can be shown yet.'}</p>`;

// A card with a heading; `id` names it, `side` stands on the right of its heading, `told` is for Stale.
export const Card = ({ title, id, told, side, children, wide }) => html`<section aria-labelledby=${id}
  class="card ${wide ? 'wide' : ''}"><div class="row"><h2 id=${id}>${title}</h2>${side}</div>
  <${Stale} ...${told}/>${children}</section>`;
