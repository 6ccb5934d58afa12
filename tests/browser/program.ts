/**
 * The training run whose losses are compared: in the page and, as a program of its own, in Deno.
 *
 * ```sh
 * deno run -A tests/browser/program.ts '{"device": "cpu", "threads": 2}'
 * ```
 *
 * @module
 */
import {
  compile,
  crossEntropy,
  describeDevice,
  type DeviceName,
  manualSeed,
  memoryStats,
  randn,
  setDevice,
  type Tensor,
} from "@tensaurus/core";
import { Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential } from "@tensaurus/core/nn";
import { Adam } from "@tensaurus/core/optim";

const STEPS = 12;
const BATCH = 128;

/** Where to train. */
export interface Setting {
  readonly device: DeviceName;
  /** Threads of the CPU device. @default those of the hardware, or one without shared memory */
  readonly threads?: number;
}

/** What came of it. */
export interface TrainingResult {
  /** Adapter, or threads and instruction set. */
  readonly device: string;
  /** Loss of each step. */
  readonly losses: number[];
}

/** Trains a small network, compiled, to tell the sign of the mean of an image of noise. */
export async function train({ device, threads }: Setting): Promise<TrainingResult> {
  await setDevice(device, { threads });
  manualSeed(3);
  const model = new Sequential(
    new Conv2d(1, 8, 3, { padding: 1 }), // [N, 8, 12, 12]
    new ReLU(),
    new MaxPool2d(2), // [N, 8, 6, 6]
    new Flatten(),
    new Dropout(0.1),
    new Linear(8 * 6 * 6, 64),
    new ReLU(),
    new Linear(64, 2),
  );
  const optimizer = new Adam(model.parameters(), { lr: 3e-3 });
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = crossEntropy(model.forward(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const x = randn([BATCH, 1, 12, 12]);
  const y = x.mean([1, 2, 3]).gt(0).to("int32");
  const losses: number[] = [];
  for (let i = 0; i < STEPS; i++) losses.push(await step(x, y).item());
  return { device: describeDevice(device), losses };
}

/** Most bytes alive in a loop of eager steps, each of which leaves three arrays of 4 MiB behind. */
export async function eagerPeak(device: DeviceName, steps: number): Promise<number> {
  await setDevice(device);
  const x = randn([1024, 1024]);
  let peak = 0;
  for (let i = 0; i < steps; i++) {
    await x.mul(0.5).add(1).exp().sum().item();
    peak = Math.max(peak, memoryStats()[device]!.live);
  }
  return peak;
}

/** What `setDevice("auto")` chooses. */
export function automaticDevice(): Promise<DeviceName> {
  return setDevice("auto");
}

if (import.meta.main) console.log(JSON.stringify(await train(JSON.parse(Deno.args[0]!))));
