// Parts that several views share.
import { time } from './format.js';
import { html } from './vendor/preact.js';

// Of when it is what is shown, and why it is not newer; nothing where the last answer came.
export const Stale = ({ at, error }) => error && html`<p class="stale">
  ${at ? `As of ${time(at)}. ` : 'Nothing is known yet. '}${error.message}</p>`;

// A card named by its heading; `side` stands on the right of it, `told` is for Stale.
export const Card = ({ title, id, told, side, children }) => html`<section class="card" aria-labelledby=${id}>
  <div class="row"><h2 id=${id}>${title}</h2>${side}</div><${Stale} ...${told}/>${children}</section>`;

// A choice of [value, text], left out where there is none.
export const Choice = ({ label, value, options, choose }) => options.length > 1 && html`<select
  aria-label=${label} value=${value} onChange=${(event) => choose(event.target.value)}>
  ${options.map(([each, text]) => html`<option value=${each}>${text}</option>`)}</select>`;
