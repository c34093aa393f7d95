// Order an upscaled picture, tell what becomes of it, and save the result: node order.js picture.png
import { readFile, writeFile } from "node:fs/promises";
import { bringFile, createClient, createConfig, followJob, getJobFile, submitJob } from "makegood-client";

const client = createClient(
  createConfig({ baseUrl: process.env.MAKEGOOD_URL, auth: process.env.MAKEGOOD_TOKEN, throwOnError: true }),
);
const picture = new Blob([await readFile(process.argv[2] ?? "picture.png")]);
const { data: file } = await bringFile({ client, body: picture, throwOnError: true });
const { data: job } = await submitJob({
  client,
  body: { type: "upscaler", input: { image: file.key, category: "comida", resolution: 1024 } },
  headers: { "Idempotency-Key": crypto.randomUUID() }, // the same key sent again gives the same job
  throwOnError: true,
});
console.log(`held: ${job.money.held} credits`);
for await (const event of followJob(job.id, { client })) {
  if (event.kind === "place") console.log(`number ${event.position} of ${event.of} in the queue`);
  else console.log(event.to_state, event.money ?? "");
}
const result = await getJobFile({ client, path: { job_id: job.id, number: 0 } });
if (result.data) await writeFile("result.png", Buffer.from(await result.data.arrayBuffer()));
