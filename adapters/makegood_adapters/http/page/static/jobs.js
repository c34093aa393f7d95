// The jobs, newest first.
import { html } from './vendor/preact.js';

export const Jobs = () => html`<section class="card"><h2>Jobs</h2></section>`;
