// drain.js JOBS: adds as many jobs that do nothing, works through them with batching on, prints
// {"added","drained"} in jobs a second. DATABASE_URL names the database.
import { run, runMigrations } from "graphile-worker";
import pg from "pg";

const jobs = Number(process.argv[2]);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const preset = {
  worker: {
    connectionString: process.env.DATABASE_URL,
    concurrentJobs: 24,
    maxPoolSize: 20,
    pollInterval: 2000,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};

// The batching settings are told at every start otherwise.
const quiet = { error: console.error, warn() {}, info() {}, debug() {} };
const { Logger } = await import("graphile-worker");
const logger = new Logger(() => (level, message) => quiet[level === "warning" ? "warn" : level]?.(message));

await runMigrations({ preset, logger });
const added = process.hrtime.bigint();
await pool.query(
  `select graphile_worker.add_jobs(array(
     select row('noop', json_build_object('id', i), null, null, null, null, null, null)::graphile_worker.job_spec
     from generate_series(1, $1::int) i))`, [jobs]);
await pool.query("vacuum analyze");
const begun = process.hrtime.bigint();
let done = 0;
const runner = await run({ preset, logger, noHandleSignals: true, taskList: { noop: () => { done += 1; } } });
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  if (done < jobs) continue;
  const { rows } = await pool.query("select count(*)::int as left from graphile_worker.jobs");
  if (rows[0].left === 0) break;
}
const ended = process.hrtime.bigint();
await runner.stop();
await pool.end();
const perSecond = (from, to) => Math.round(jobs / (Number(to - from) / 1e9));
console.log(JSON.stringify({ added: perSecond(added, begun), drained: perSecond(begun, ended) }));
