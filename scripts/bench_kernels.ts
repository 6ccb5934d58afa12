/**
 * Time of single kernels, checked against float64 before they are timed, with GB/s and GFLOP/s beside
 * the ceiling of the machine: a copy of 64 MB for the memory, a product of 1024 for the arithmetic.
 *
 * ```sh
 * deno task bench:kernels
 * deno task bench:kernels --device cpu --filter conv --json
 * ```
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { refuseUnknown } from "./_flags.ts";
import {
  conv2d,
  type DeviceName,
  dropout,
  embedding,
  layerNorm,
  manualSeed,
  matmul,
  maxPool2d,
  randint,
  randn,
  relu,
  setDevice,
  synchronize,
  type Tensor,
} from "@tensaurus/core";

/** A kernel and what it moves and computes. */
interface Case {
  readonly name: string;
  readonly inputs: () => Tensor[];
  readonly run: (inputs: readonly Tensor[]) => Tensor;
  readonly flops?: number;
}

const MIB = 2 ** 20;

/** The first two set the ceilings. */
const CASES: readonly Case[] = [
  { name: "copy 64 MB", inputs: () => [randn([16 * MIB])], run: ([x]) => x!.clone() },
  product(1024),
  product(64, 18432, 512),
  product(768, 128, 512),
  convolution(64, 32, 64, 48),
  convolution(64, 64, 128, 24),
  convolution(64, 3, 32, 48),
  convolution(32, 32, 32, 28),
  {
    name: "max pool 2 [64, 64, 48, 48]",
    inputs: () => [randn([64, 64, 48, 48])],
    run: ([x]) => maxPool2d(x!, 2),
  },
  { name: "relu 16 M", inputs: () => [randn([16 * MIB])], run: ([x]) => relu(x!) },
  { name: "exp 16 M", inputs: () => [randn([16 * MIB])], run: ([x]) => x!.exp() },
  { name: "sum 16 M", inputs: () => [randn([16 * MIB])], run: ([x]) => x!.sum() },
  {
    name: "softmax [4096, 1024]",
    inputs: () => [randn([4096, 1024])],
    run: ([x]) => x!.softmax(-1),
  },
  {
    name: "layer norm [4096, 1024]",
    inputs: () => [randn([4096, 1024])],
    run: ([x]) => layerNorm(x!, [1024]),
  },
  { name: "dropout 16 M", inputs: () => [randn([16 * MIB])], run: ([x]) => dropout(x!) },
  {
    name: "transpose [4096, 4096]",
    inputs: () => [randn([4096, 4096])],
    run: ([x]) => x!.T.contiguous(),
  },
  {
    name: "embedding [16384] of [50257, 768]",
    inputs: () => [randint(0, 50257, [16384]), randn([50257, 768])],
    run: ([i, w]) => embedding(i!, w!),
  },
];

function product(m: number, k = m, n = m): Case {
  return {
    name: `matmul ${m} x ${k} x ${n}`,
    inputs: () => [randn([m, k]), randn([k, n])],
    run: ([a, b]) => matmul(a!, b!),
    flops: 2 * m * k * n,
  };
}

function convolution(batch: number, inChannels: number, outChannels: number, side: number): Case {
  return {
    name: `conv 3x3 ${batch} x ${inChannels} to ${outChannels} at ${side}`,
    inputs: () => [randn([batch, inChannels, side, side]), randn([outChannels, inChannels, 3, 3])],
    run: ([x, w]) => conv2d(x!, w!, { padding: 1 }),
    flops: 2 * batch * outChannels * side * side * inChannels * 9,
  };
}

/** Least milliseconds of a few runs, each with the device's work. */
async function time(run: () => Tensor, device: DeviceName): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < 12; i++) {
    const start = performance.now();
    const y = run();
    await synchronize(device);
    if (i > 1) best = Math.min(best, performance.now() - start);
    y.dispose();
  }
  return best;
}

/** Largest difference from the float64 device, relative to the largest value; large cases are cut. */
async function error(kernel: Case, device: DeviceName, inputs: readonly Tensor[]): Promise<number> {
  if ((kernel.flops ?? 0) > 3e8) return NaN;
  const small = inputs.map((x) => x.shape[0]! > 65536 ? x.slice(0, 0, 65536) : x);
  const got = await kernel.run(small).data();
  const expected = await kernel.run(
    await Promise.all(small.map((x) => x.toDevice("reference"))),
  ).data();
  let worst = 0, scale = 1e-30;
  for (let i = 0; i < got.length; i++) {
    worst = Math.max(worst, Math.abs(got[i]! - expected[i]!));
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  void device;
  return worst / scale;
}

async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, {
    string: ["device", "filter"],
    boolean: ["json", "check"],
    unknown: refuseUnknown,
    default: { device: "auto", filter: "" },
  });
  const device = await setDevice(flags.device as DeviceName);
  let memory = 0, arithmetic = 0;
  for (const [i, kernel] of CASES.entries()) {
    if (i > 1 && !kernel.name.includes(flags.filter)) continue;
    manualSeed(0);
    const inputs = kernel.inputs();
    const deviation = flags.check && kernel.name !== "dropout 16 M"
      ? await error(kernel, device, inputs)
      : undefined;
    const ms = await time(() => kernel.run(inputs), device);
    const bytes = 4 * (inputs.reduce((n, x) => n + x.numel, 0) + kernel.run(inputs).numel);
    const gbPerSecond = bytes / ms / 1e6;
    const gflops = (kernel.flops ?? 0) / ms / 1e6;
    if (i === 0) memory = gbPerSecond;
    if (i === 1) arithmetic = gflops;
    const row = {
      kernel: kernel.name,
      ms: Number(ms.toFixed(3)),
      gbPerSecond: Number(gbPerSecond.toFixed(1)),
      ofMemory: Number((gbPerSecond / memory).toFixed(2)),
      gflops: Number(gflops.toFixed(1)),
      ofArithmetic: arithmetic ? Number((gflops / arithmetic).toFixed(2)) : 0,
      ...(deviation === undefined ? {} : { error: deviation }),
      device,
    };
    const text = `${kernel.name.padEnd(36)} ${ms.toFixed(3).padStart(9)} ms ${
      gbPerSecond.toFixed(1).padStart(8)
    } GB/s ${gflops.toFixed(1).padStart(8)} GFLOP/s`;
    console.log(flags.json ? JSON.stringify(row) : text);
    for (const x of inputs) x.dispose();
  }
}

if (import.meta.main) await main();
