/**
 * Milliseconds per training step of each model: forward, backward and optimizer in float32, warm,
 * median and minimum. Workload names and keys are those of the PyTorch script of the same workloads,
 * so that both can be read side by side from one run.
 *
 * ```sh
 * deno task bench --json
 * deno task bench --filter gpt --device cpu --threads 2 --seconds 12
 * ```
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import {
  arange,
  compile,
  type CompiledFunction,
  type DeviceName,
  exp,
  manualSeed,
  matmul,
  randint,
  randn,
  setDevice,
  synchronize,
  type Tensor,
} from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";
import * as optim from "@tensaurus/core/optim";
import { Net } from "../models/cnn.ts";
import { Gpt, RecurrentLm, UNet } from "./bench/models.ts";

const F = nn.functional;

interface Workload {
  readonly name: string;
  /** Only timed on a GPU: minutes on a CPU. */
  readonly gpuOnly?: boolean;
  /** Builds the step and its arguments. */
  readonly make: () => { step: CompiledFunction<Tensor[], Tensor>; args: Tensor[] };
}

function trainStep(
  model: nn.Module,
  optimizer: optim.Optimizer,
  lossOf: (...args: Tensor[]) => Tensor,
): CompiledFunction<Tensor[], Tensor> {
  void model;
  return compile((...args: Tensor[]) => {
    optimizer.zeroGrad();
    const loss = lossOf(...args);
    loss.backward();
    optimizer.step();
    return loss;
  });
}

function languageModel(
  name: string,
  build: () => nn.Module,
  batch: number,
  length: number,
): Workload {
  return {
    name,
    make: () => {
      const model = build();
      const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-3 });
      const step = trainStep(model, optimizer, (x, y) => {
        const logits = model.forward(x!) as Tensor; // [B, T, V]
        return F.crossEntropy(logits.flatten(0, 1), y!.flatten());
      });
      const tokens = randint(0, 65, [batch, length + 1]);
      return {
        step,
        args: [tokens.slice(1, 0, length).contiguous(), tokens.slice(1, 1).contiguous()],
      };
    },
  };
}

function seedCnn(batch: number): Workload {
  return {
    name: `seed-cnn b${batch} 48x48`,
    gpuOnly: batch > 64,
    make: () => {
      const model = new Net({ imageSize: 48, classes: 10, dropout: 0.5 });
      const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3, weightDecay: 1e-4 });
      const step = trainStep(model, optimizer, (x, y) => F.crossEntropy(model.forward(x!), y!));
      return { step, args: [randn([batch, 3, 48, 48]), randint(0, 10, [batch])] };
    },
  };
}

const DDPM: Workload = {
  name: "ddpm unet32 b32 28x28",
  make: () => {
    const model = new UNet(32);
    const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-3 });
    const frequencies = exp(arange(0, 16, 1, { dtype: "float32" }).mul(-Math.log(10_000) / 16));
    const step = trainStep(model, optimizer, (x, t) => {
      const noise = randn([32, 1, 28, 28], { device: x!.device });
      return F.mseLoss(model.forward(x!, t!, frequencies), noise);
    });
    return { step, args: [randn([32, 1, 28, 28]), randint(0, 1000, [32])] };
  },
};

const WORKLOADS: readonly Workload[] = [
  seedCnn(64),
  seedCnn(256),
  languageModel("gpt 4x128 b12 t64", () => new Gpt(), 12, 64),
  {
    ...languageModel("gpt 6x384 b64 t256", () => new Gpt(65, 256, 384, 6, 6), 64, 256),
    gpuOnly: true,
  },
  languageModel("lstm 2x256 b32 t64", () => new RecurrentLm("lstm"), 32, 64),
  languageModel("gru 2x256 b32 t64", () => new RecurrentLm("gru"), 32, 64),
  DDPM,
];

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
    boolean: ["json", "describe"],
    default: { device: "auto", filter: "", seconds: "12", threads: "" },
  });
  const threads = flags.threads === "" ? undefined : Number(flags.threads);
  const device = await setDevice(flags.device as DeviceName, { threads });
  const seconds = Number(flags.seconds);
  const facts = { device, threads: threads ?? navigator.hardwareConcurrency };
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
