// The original load test, for those who run k6 themselves: the same calls, checks,
// stages and thresholds as `hal9 loadtest original`.
//
//   k6 run loadtest/k6.js
//   k6 run -e HAL9_URL=http://127.0.0.1:8080 -e HAL9_USERS=100 loadtest/k6.js
//
// Each iteration costs the server 0.3 password hashes on average, so that 1000 users ask
// for 300 a second. `hal9 loadtest original` measures how many users a server can take;
// HAL9_USERS sets the most here. k6 is AGPL-3.0 and no part of HAL9.
// `make check-k6` checks the types of this file.

import http from "k6/http";
import { check, sleep } from "k6";

const base = __ENV.HAL9_URL || "http://127.0.0.1:8080";
const most = Number(__ENV.HAL9_USERS || 1000);

/** @param {number} users */
const scaled = (users) => Math.max(1, Math.round((users * most) / 1000));

/** @type {import("k6/options").Options} */
export const options = {
  stages: [
    { duration: "30s", target: scaled(10) },
    { duration: "1m", target: scaled(100) },
    { duration: "2m", target: scaled(1000) },
    { duration: "5m", target: scaled(1000) },
    { duration: "1m", target: scaled(100) },
    { duration: "30s", target: 0 },
  ],
  thresholds: {
    http_req_duration: ["p(95)<500", "p(99)<1000"],
    http_req_failed: ["rate<0.01"],
    checks: ["rate>0.95"],
  },
};

const json = { headers: { "Content-Type": "application/json" } };

/** @param {string[]} words */
const oneOf = (words) => words[Math.floor(Math.random() * words.length)];

/**
 * The value at a path of an answer, undefined if the answer is no JSON.
 * @param {import("k6/http").Response} answer
 * @param {string} path
 */
function at(answer, path) {
  try {
    return answer.json(path);
  } catch {
    return undefined;
  }
}

export default function () {
  const drawn = Math.random();
  if (drawn < 0.4) sendSignal();
  else if (drawn < 0.6) readStatus();
  else if (drawn < 0.8) readNeurons();
  else if (drawn < 0.95) useAccount();
  else readMetrics();
  sleep(1);
}

function sendSignal() {
  const answer = http.post(`${base}/api/v1/signal`, JSON.stringify({
    content: `Test signal ${__ITER} of user ${__VU}`,
    layer: oneOf(["L4", "L3", "L2"]),
    neuron_id: oneOf(["strategic-planner", "task-analyzer", "executor"]),
  }), json);
  check(answer, {
    "signal: status is 200": (r) => r.status === 200,
    "signal: data.signal_id is there": (r) => Boolean(at(r, "data.signal_id")),
    "signal: answered within 200ms": (r) => r.timings.duration < 200,
  });
}

function readStatus() {
  const answer = http.get(`${base}/api/v1/status`);
  check(answer, {
    "status: status is 200": (r) => r.status === 200,
    "status: data.running is a boolean": (r) => typeof at(r, "data.running") === "boolean",
    "status: answered within 100ms": (r) => r.timings.duration < 100,
  });
}

function readNeurons() {
  const answer = http.get(`${base}/api/v1/neurons`);
  check(answer, {
    "neurons: status is 200": (r) => r.status === 200,
    "neurons: data is an array": (r) => Array.isArray(at(r, "data")),
    "neurons: answered within 150ms": (r) => r.timings.duration < 150,
  });
  const first = at(answer, "data.0.id");
  if (typeof first !== "string") return;
  const one = http.get(`${base}/api/v1/neurons/${encodeURIComponent(first)}`, { tags: { name: "neuron" } });
  check(one, { "neuron: status is 200": (r) => r.status === 200 });
}

function useAccount() {
  const credentials = JSON.stringify({
    username: `user-${__VU}-${__ITER}-${Date.now()}-${Math.floor(Math.random() * 1e9)}`,
    password: "SecurePassword123!",
  });
  const registered = http.post(`${base}/api/v1/auth/register`, credentials, json);
  if (!check(registered, { "register: status is 200": (r) => r.status === 200 })) return;
  const login = http.post(`${base}/api/v1/auth/login`, credentials, json);
  const token = at(login, "data.access_token");
  check(login, {
    "login: status is 200": (r) => r.status === 200,
    "login: data.access_token is there": () => Boolean(token),
  });
  if (!token) return;
  const profile = http.get(`${base}/api/v1/auth/profile`, { headers: { Authorization: `Bearer ${token}` } });
  check(profile, { "profile: status is 200": (r) => r.status === 200 });
}

function readMetrics() {
  const answer = http.get(`${base}/api/v1/metrics`);
  check(answer, {
    "metrics: status is 200": (r) => r.status === 200,
    "metrics: data.signals_sent is at least 0": (r) => Number(at(r, "data.signals_sent")) >= 0,
    "metrics: answered within 100ms": (r) => r.timings.duration < 100,
  });
}
