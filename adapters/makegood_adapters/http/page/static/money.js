// The ledger, wallets, and the line that says whether the books are right.
import { html } from './vendor/preact.js';

export const BooksLine = () => html`<span class="money"></span>`;
export const Money = () => html`<section class="card"><h2>Money</h2></section>`;
