// Queue.
import { html } from './vendor/preact.js';

export const Queue = () => html`<section class="card"><h2>Queue</h2></section>`;
