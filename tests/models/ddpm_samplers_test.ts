import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { full, manualSeed, randn, setDevice, type Tensor, tensor, zeros } from "@tensaurus/core";
import { type Prediction, PREDICTIONS } from "../../models/ddpm/diffusion.ts";
import { type SamplerName, type SamplerRow, samplerRows } from "../../models/ddpm/sampler_rows.ts";
import { mixOutputs, type Predictor, repeatBatch, Sampler } from "../../models/ddpm/samplers.ts";
import { betasOf, Process, SCHEDULES, subsequence } from "../../models/ddpm/schedule.ts";

await setDevice("cpu");

// The data are one Gaussian N(MEAN, DEVIATION²), so that everything is known.
const MEAN = 0.4, DEVIATION = 0.3;
const process = new Process(betasOf("cosine", 1000));

/** x̂_0 = E[x_0 | x_t] = u + w x_t. */
function exactImage(alphaBar: number): { w: number; u: number } {
  const variance = alphaBar * DEVIATION ** 2 + 1 - alphaBar;
  const w = Math.sqrt(alphaBar) * DEVIATION ** 2 / variance;
  return { w, u: MEAN - w * Math.sqrt(alphaBar) * MEAN };
}

/** Mean and variance that a table makes of standard normal noise, without sampling. */
function propagate(rows: readonly SamplerRow[]): { mean: number; variance: number } {
  // State: x and the x̂_0 before, with their means and covariance.
  let mean = [0, 0], xx = 1, xp = 0, pp = 0;
  for (const row of rows) {
    const { w, u } = exactImage(process.alphaBar[row.t]!);
    const a = row.x + row.x0 * w, c = row.previous;
    const next = [a * mean[0]! + c * mean[1]! + row.x0 * u, w * mean[0]! + u];
    const noise = row.noise ** 2;
    [xx, xp, pp] = [
      a * a * xx + 2 * a * c * xp + c * c * pp + noise,
      w * (a * xx + c * xp),
      w * w * xx,
    ];
    mean = next;
  }
  return { mean: mean[0]!, variance: xx };
}

/** The network that knows the Gaussian. */
function exactPredictor(prediction: Prediction): Predictor<Record<string, never>> {
  const alphaBar = tensor(Float32Array.from(process.alphaBar));
  return (x: Tensor, t: Tensor): Tensor => {
    const a = alphaBar.indexSelect(0, t.to("int32")).reshape([-1, 1, 1, 1]);
    const rest = a.neg().add(1);
    const variance = a.mul(DEVIATION ** 2).add(rest);
    const centred = x.sub(a.sqrt().mul(MEAN));
    const x0 = a.sqrt().mul(DEVIATION ** 2).div(variance).mul(centred).add(MEAN);
    const eps = rest.sqrt().div(variance).mul(centred);
    if (prediction === "x0") return x0;
    return prediction === "eps" ? eps : a.sqrt().mul(eps).sub(rest.sqrt().mul(x0));
  };
}

const CASES: readonly { sampler: SamplerName; steps: number; eta?: number; within: number }[] = [
  { sampler: "ddpm", steps: 1000, within: 0.01 },
  { sampler: "ddim", steps: 1000, within: 0.01 },
  { sampler: "ddim", steps: 1000, eta: 1, within: 0.01 },
  { sampler: "ddim", steps: 100, eta: 0.5, within: 0.05 },
  { sampler: "dpm++2m", steps: 1000, within: 0.01 },
  { sampler: "dpm++2m", steps: 50, within: 0.05 },
];

for (const { sampler, steps, eta = 0, within } of CASES) {
  Deno.test(`samplerRows() of ${sampler}, ${steps} steps, η ${eta}, keep a Gaussian`, () => {
    for (const prediction of PREDICTIONS) {
      const rows = samplerRows(process, { sampler, steps, eta, prediction });
      const { mean, variance } = propagate(rows);
      assertAlmostEquals(mean, MEAN, within * DEVIATION);
      assertAlmostEquals(Math.sqrt(variance), DEVIATION, within * DEVIATION);
    }
  });

  Deno.test(`Sampler with ${sampler}, ${steps} steps, η ${eta}, returns mean and variance`, async () => {
    const count = 4096;
    for (const prediction of steps === 1000 ? ["v"] as const : PREDICTIONS) {
      manualSeed(7);
      const rows = samplerRows(process, { sampler, steps, eta, prediction });
      const loop = new Sampler(exactPredictor(prediction), { threshold: "none" });
      const x = [...await loop.sample(randn([count, 1, 1, 1]), rows, {}).data()];
      const expected = propagate(rows);
      const mean = x.reduce((sum, v) => sum + v, 0) / count;
      const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (count - 1);
      // Four standard errors of the mean and of the variance.
      assertAlmostEquals(mean, expected.mean, 4 * DEVIATION / Math.sqrt(count));
      assertAlmostEquals(variance, expected.variance, 4 * expected.variance * Math.sqrt(2 / count));
      assertEquals(loop.planCount, 1);
      loop.dispose();
    }
  });
}

Deno.test("DDIM with η = 1 and all steps is DDPM", () => {
  for (const name of SCHEDULES) {
    const whole = new Process(betasOf(name, 1000));
    const ddpm = samplerRows(whole, { sampler: "ddpm", steps: 1000, prediction: "eps" });
    const ddim = samplerRows(whole, { sampler: "ddim", steps: 1000, prediction: "eps", eta: 1 });
    for (const [i, row] of ddpm.entries()) {
      for (const key of ["t", "x", "x0", "noise"] as const) {
        assertAlmostEquals(ddim[i]![key], row[key], 1e-9, `${name} ${i} ${key}`);
      }
    }
  }
});

Deno.test("every sampler ends at the image, also after pure noise", () => {
  const pure = new Process(betasOf("linear", 1000, { zeroTerminalSnr: true }));
  for (const sampler of ["ddpm", "ddim", "dpm++2m"] as const) {
    for (const steps of [1, 2, 25]) {
      const rows = samplerRows(pure, { sampler, steps, prediction: "v" });
      for (const row of rows) {
        for (const value of Object.values(row)) assert(!Number.isNaN(value), JSON.stringify(row));
        assert(Number.isFinite(row.x) && Number.isFinite(row.x0) && Number.isFinite(row.previous));
      }
      const last = rows.at(-1)!;
      assertAlmostEquals(last.x0, 1, 1e-12);
      assertEquals([last.t, last.noise], [steps === 1 ? 999 : 0, 0]);
    }
  }
});

Deno.test("samplerRows() throws for what does not exist", () => {
  const base = { steps: 10, prediction: "eps" } as const;
  assertThrows(
    () => samplerRows(process, { ...base, sampler: "plms" as SamplerName }),
    RangeError,
    'samplerRows: no sampler "plms", there are ddpm, ddim, dpm++2m',
  );
  assertThrows(
    () => samplerRows(process, { ...base, sampler: "ddim", eta: 2 }),
    RangeError,
    "samplerRows: eta 2 is not within 0 to 1",
  );
  assertThrows(
    () => samplerRows(process, { ...base, sampler: "dpm++2m", resamples: 2 }),
    RangeError,
    "samplerRows: dpm++2m cannot go back to resample (use ddpm or ddim)",
  );
});

Deno.test("samplerRows() with resamples goes back to the level of the step", () => {
  const options = { sampler: "ddpm", steps: 500, prediction: "v", resamples: 3 } as const;
  const rows = samplerRows(process, options);
  assertEquals(rows.length, 1 + 499 * 3);
  const { mean, variance } = propagate(rows);
  assertAlmostEquals(mean, MEAN, 0.01 * DEVIATION);
  // Three times the bias of the fixed-small variance.
  assertAlmostEquals(Math.sqrt(variance), DEVIATION, 0.03 * DEVIATION);
  const kept = subsequence(1000, 500);
  assertAlmostEquals(rows[0]!.signalAfter ** 2, process.alphaBar[kept[499]!]!, 1e-12);
  assertAlmostEquals(rows[2]!.signalAfter ** 2, process.alphaBar[kept[498]!]!, 1e-12);
});

Deno.test("Sampler gives the same images for the same seed, and a plan for all steps", async () => {
  const loop = new Sampler(exactPredictor("v"));
  const run = async (steps: number): Promise<number[]> => {
    manualSeed(5);
    const rows = samplerRows(process, { sampler: "ddpm", steps, prediction: "v" });
    return [...await loop.sample(randn([3, 1, 2, 2]), rows, {}).data()];
  };
  assertEquals(await run(20), await run(20));
  await run(30);
  assertEquals(loop.planCount, 1);
});

Deno.test("Sampler keeps x̂_0 within −1 to 1 by clipping or by a percentile", async () => {
  const far: Predictor<Record<string, never>> = (x) => x.mul(0).add(tensor([0.5, 3]));
  const rows = samplerRows(process, { sampler: "ddim", steps: 1, prediction: "x0" });
  const start = zeros([1, 1, 1, 2]);
  const of = async (
    options: ConstructorParameters<typeof Sampler>[1],
  ): Promise<number[]> => [...await new Sampler(far, options).sample(start, rows, {}).data()];
  assertEquals(await of({ threshold: "none" }), [0.5, 3]);
  assertEquals(await of({ threshold: "clip" }), [0.5, 1]);
  const scaled = await of({ threshold: "dynamic", percentile: 1 });
  assertAlmostEquals(scaled[0]!, 0.5 / 3, 1e-6);
  assertEquals(scaled[1], 1);
});

Deno.test("Sampler takes given pixels from the image", async () => {
  manualSeed(1);
  const loop = new Sampler(exactPredictor("v"), { threshold: "none" });
  const rows = samplerRows(process, { sampler: "ddim", steps: 10, prediction: "v" });
  const image = full([2, 1, 2, 2], 0.9), mask = tensor([[[[1, 0], [0, 1]]]]).to("float32");
  const x = [...await loop.sample(randn([2, 1, 2, 2]), rows, {}, { image, mask }).data()];
  for (const i of [0, 3, 4, 7]) assertAlmostEquals(x[i]!, 0.9, 1e-6);
  for (const i of [1, 2, 5, 6]) assert(Math.abs(x[i]! - 0.9) > 1e-3);
});

Deno.test("Sampler uses the variance that the network gives", async () => {
  // Shares of 0 and 1 are the two fixed variances.
  const expected = { 0: "fixed-small", 1: "fixed-large" } as const;
  for (const share of [0, 1] as const) {
    const exact = exactPredictor("v");
    const halves: Predictor<Record<string, never>> = (x, t, none) =>
      repeatBatch(exact(x, t, none), 2).unflatten(0, [2, x.shape[0]!]).transpose(0, 1).flatten(1, 2)
        .mul(tensor([1, 0]).reshape([1, 2, 1, 1]))
        .add(tensor([0, 2 * share - 1]).reshape([1, 2, 1, 1]));
    const sample = async (learned: boolean): Promise<number[]> => {
      manualSeed(3);
      const variance = learned ? "learned-range" : expected[share];
      const rows = samplerRows(process, { sampler: "ddpm", steps: 20, prediction: "v", variance });
      const loop = new Sampler(learned ? halves : exact, { threshold: "none", learned });
      return [...await loop.sample(randn([8, 1, 1, 1]), rows, {}).data()];
    };
    const fixed = await sample(false);
    for (const [i, x] of (await sample(true)).entries()) assertAlmostEquals(x, fixed[i]!, 1e-4);
  }
});

Deno.test("mixOutputs() with guidance 1 is the prompt, with 0 none, to the bit", async () => {
  manualSeed(9);
  const x = randn([6, 1, 5, 5]);
  const weights = (g: number): Tensor => tensor([[g, g, g], [1 - g, 1 - g, 1 - g]]);
  const values = [...await x.data()];
  assertEquals([...await mixOutputs(x, weights(1)).data()], values.slice(0, 75));
  assertEquals([...await mixOutputs(x, weights(0)).data()], values.slice(75));
  const three = [...await mixOutputs(x, weights(3)).data()];
  for (const i of [0, 40, 74]) {
    assertAlmostEquals(three[i]!, 3 * values[i]! - 2 * values[75 + i]!, 1e-5);
  }
});
