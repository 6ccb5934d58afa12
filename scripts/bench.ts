/**
 * Milliseconds per training step of each model: forward, backward and optimizer in float32, warm,
 * median and minimum. Workload names and keys are those of the PyTorch script of the same workloads,
 * so that both can be read side by side from one run.
 *
 * ```sh
 * deno task bench --json
 * deno task bench --filter gpt --device cpu --threads 2 --seconds 12
 * deno task bench --no-paired --json    # without what the models' scripts ask of V8 on the CPU
 * ```
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { refuseUnknown } from "./_flags.ts";
import {
  type DeviceName,
  manualSeed,
  matmul,
  randn,
  setDevice,
  synchronize,
} from "@tensaurus/core";
import { isPaired, pairVectors } from "../models/kit/paired.ts";
import { WORKLOADS } from "./bench/workloads.ts";

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

function round(x: number, digits: number): number {
  return Number(x.toFixed(digits));
}

/** Repeats `run` until the time is up, each with the device's work included. */
async function repeat(
  run: () => void,
  device: DeviceName,
  seconds: number,
  most: number,
): Promise<number[]> {
  for (let i = 0; i < 3; i++) run();
  await synchronize(device);
  const times: number[] = [];
  const start = performance.now();
  while (performance.now() - start < seconds * 1000 && times.length < most) {
    const before = performance.now();
    run();
    await synchronize(device);
    times.push(performance.now() - before);
    // Finalizers run between tasks; PyTorch's loop frees as it goes, too.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return times;
}

/** Steps back to back with one wait at the end, as a training loop runs on a GPU. */
async function throughput(run: () => void, device: DeviceName, steps: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < steps; i++) run();
  await synchronize(device);
  return (performance.now() - start) / steps;
}

async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, {
    string: ["device", "filter", "seconds", "threads"],
    boolean: ["json", "describe", "paired"],
    negatable: ["paired"],
    unknown: refuseUnknown,
    default: { device: "auto", filter: "", seconds: "12", threads: "", paired: true },
  });
  const threads = flags.threads === "" ? undefined : Number(flags.threads);
  if (flags.paired && flags.device !== "webgpu") pairVectors();
  const device = await setDevice(flags.device as DeviceName, { threads });
  const seconds = Number(flags.seconds);
  const paired = device === "cpu" && isPaired() ? { paired: true } : {};
  const facts = { device, threads: threads ?? navigator.hardwareConcurrency, ...paired };
  const print = (row: Record<string, unknown>): void => {
    const text = Object.entries(row).map(([key, value]) => `${key} ${value}`).join("  ");
    console.log(flags.json ? JSON.stringify(row) : text);
  };
  for (const { name, gpuOnly, make } of WORKLOADS) {
    if (!name.includes(flags.filter) || (gpuOnly && device !== "webgpu")) continue;
    manualSeed(0);
    const { step, args } = make();
    const began = performance.now();
    step(...args);
    await synchronize(device);
    const firstStep = round(performance.now() - began, 1);
    if (flags.describe) console.log(step.describe(...args));
    const times = await repeat(() => step(...args).dispose(), device, seconds, 200);
    const streamed = device === "webgpu"
      ? { streamed: round(await throughput(() => step(...args).dispose(), device, 50), 3) }
      : {};
    print({
      workload: name,
      ms: round(median(times), 3),
      min: round(Math.min(...times), 3),
      ...streamed,
      steps: times.length,
      firstStep,
      ...facts,
    });
    step.dispose();
  }
  for (const n of device === "webgpu" ? [512, 1024, 2048, 4096] : [512, 1024, 2048]) {
    if (!`gemm ${n}`.includes(flags.filter)) continue;
    const a = randn([n, n]), b = randn([n, n]);
    const times = await repeat(() => matmul(a, b).dispose(), device, 2, 50);
    print({
      workload: `gemm ${n}`,
      gflops: round(2 * n ** 3 / median(times) / 1e6, 1),
      best: round(2 * n ** 3 / Math.min(...times) / 1e6, 1),
      ...facts,
    });
  }
}

if (import.meta.main) await main();
