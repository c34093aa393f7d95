// All that is known of one job.
import { html } from './vendor/preact.js';

export const Job = ({ id }) => html`<section class="card"><h2>Job ${id}</h2></section>`;
