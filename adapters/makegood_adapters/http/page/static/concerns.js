// Concerns.
import { html } from './vendor/preact.js';

export const Concerns = () => html`<section class="card"><h2>Concerns</h2></section>`;
export const ConcernsMark = () => null;
