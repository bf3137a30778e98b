// A batch's way from the event's bytes to PutRecords bodies, as a handler in Node would go it.
//
//     node batch.js EVENT.json    prints {"impressions": N, "seconds": the best of several}

const { randomBytes } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { gunzipSync } = require("node:zlib");

const RECORD_BYTES = 100 * 1024;
const REQUEST_BYTES = 1024 * 1024;

function handle(event) {
  const { body } = JSON.parse(event);
  const impressions = JSON.parse(gunzipSync(Buffer.from(body, "base64")));
  const records = [];
  let record = "";
  for (const impression of impressions) {
    if (typeof impression.key !== "string" || typeof impression.split !== "string") continue;
    const line = JSON.stringify(impression) + "\n";
    if (record.length + line.length > RECORD_BYTES) {
      records.push(record);
      record = "";
    }
    record += line;
  }
  records.push(record);
  const bodies = [];
  let request = [];
  let size = 0;
  for (const text of records) {
    if (size + text.length > REQUEST_BYTES) {
      bodies.push(JSON.stringify({ StreamName: "stream", Records: request }));
      request = [];
      size = 0;
    }
    const Data = Buffer.from(text).toString("base64");
    request.push({ Data, PartitionKey: randomBytes(8).toString("hex") });
    size += text.length;
  }
  bodies.push(JSON.stringify({ StreamName: "stream", Records: request }));
  return [impressions.length, bodies];
}

const event = readFileSync(process.argv[2]);
const until = performance.now() + 3000;
let best = Infinity;
let count = 0;
while (performance.now() < until) {
  const started = performance.now();
  [count] = handle(event);
  best = Math.min(best, performance.now() - started);
}
console.log(JSON.stringify({ impressions: count, seconds: best / 1000 }));
