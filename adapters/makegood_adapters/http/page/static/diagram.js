// Diagram.
import { html } from './vendor/preact.js';

export const Diagram = () => html`<section class="card"><h2>Diagram</h2></section>`;
