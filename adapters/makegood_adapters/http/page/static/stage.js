// Stage.
import { html } from './vendor/preact.js';

export const Stage = () => html`<section class="card"><h2>Stage</h2></section>`;
