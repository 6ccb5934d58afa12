import { assert, assertAlmostEquals } from "@std/assert";
import * as T from "../../ops/mod.ts";
import { cnnStep, gptStep, lstmStep, type Step, unetStep } from "./steps.ts";

/** Number of kernels that a step's plan has. */
function kernelCount(step: Step): number {
  const compiled = T.compile(step.run);
  const text = compiled.describe(...step.batch);
  compiled.dispose();
  return Number(/^(\d+) kernels/m.exec(text)![1]);
}

async function numbers(tensors: readonly T.Tensor[]): Promise<number[]> {
  const lists = await Promise.all(tensors.map((t) => t.data()));
  return lists.flatMap((list) => [...list as Iterable<number>]);
}

/** Results and parameters after two steps, eager or compiled. */
function train(make: () => Step, compiled: boolean): Promise<number[]> {
  T.manualSeed(1);
  const step = make();
  const run = compiled ? T.compile(step.run) : step.run;
  run(...step.batch);
  const results = run(...step.batch);
  return numbers([...Object.values(results), ...step.parameters]);
}

const STEPS: readonly (readonly [name: string, make: () => Step])[] = [
  ["a CNN", () => cnnStep(2, 8, [2, 3, 4])],
  ["a transformer", () => gptStep(2, 8, 2, 5)],
  ["a transformer with attention by tiles", () => gptStep(1, 8, 2, 40, true)],
  ["an LSTM", () => lstmStep(3, 6, 4)],
  ["a U-Net", () => unetStep(2, 6, 4)],
];

for (const [name, make] of STEPS) {
  Deno.test(`fused steps of ${name} equal eager ones`, async () => {
    const before = T.getDevice();
    await T.setDevice("reference");
    try {
      const eager = await train(make, false), fused = await train(make, true);
      assert(eager.length === fused.length && eager.every((x) => Number.isFinite(x)));
      // Adam divides by the root of tiny second moments, so that last bits of float64 show.
      for (const [i, x] of eager.entries()) assertAlmostEquals(fused[i]!, x, 1e-6, `number ${i}`);
    } finally {
      await T.setDevice(before);
    }
  });
}

Deno.test("optimize() brings training steps down to few kernels", async () => {
  const before = T.getDevice();
  await T.setDevice("reference");
  try {
    const counts = {
      cnn: kernelCount(cnnStep(8, 28, [8, 16, 16])),
      gpt1: kernelCount(gptStep(1, 32, 4, 16)),
      gpt2: kernelCount(gptStep(2, 32, 4, 16)),
      lstm: kernelCount(lstmStep(4, 20, 8)),
      tiled: kernelCount(gptStep(1, 32, 4, 300, true)),
      unet: kernelCount(unetStep(4, 16, 8)),
    };
    assert(counts.cnn <= 30, `CNN: ${counts.cnn}`);
    // Per layer: 8 products forward, 16 backward, 2 rows forward, 4 backward, bias sums.
    assert(counts.gpt2 - counts.gpt1 <= 32, `one layer: ${counts.gpt2 - counts.gpt1}`);
    assert(counts.lstm <= 27, `LSTM: ${counts.lstm}`);
    assert(counts.tiled <= 70, `attention by tiles: ${counts.tiled}`);
    assert(counts.unet <= 48, `U-Net: ${counts.unet}`);
  } finally {
    await T.setDevice(before);
  }
});
