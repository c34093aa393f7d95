// Slots.
import { html } from './vendor/preact.js';

export const Slots = () => html`<section class="card"><h2>Slots</h2></section>`;
export const Workers = () => null;
