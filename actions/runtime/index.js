"use strict";
const { appendFileSync, writeFileSync } = require("fs");
const { randomUUID } = require("crypto");
const { env } = process;
const told = {
  results_url: env.ACTIONS_RESULTS_URL,
  runtime_token: env.ACTIONS_RUNTIME_TOKEN,
  cache_mode: env.ACTIONS_CACHE_MODE,
};
if (told.results_url && told.runtime_token) {
  const file = `${env.RUNNER_TEMP}/ghoard-runtime-${randomUUID()}`;
  writeFileSync(file, JSON.stringify(told), { mode: 0o600, flag: "wx" });
  appendFileSync(env.GITHUB_OUTPUT, `file=${file}\n`);
}
