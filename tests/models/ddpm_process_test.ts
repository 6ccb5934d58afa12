import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { arange, full, manualSeed, randn, setDevice, tensor, zeros } from "@tensaurus/core";
import { Diffusion, type Prediction, PREDICTIONS } from "../../models/ddpm/diffusion.ts";
import {
  betasOf,
  Process,
  type ScheduleName,
  SCHEDULES,
  subsequence,
} from "../../models/ddpm/schedule.ts";

await setDevice("cpu");

Deno.test("betasOf() follows the papers at both ends", () => {
  const ends = (name: ScheduleName): [number, number] => {
    const { alphaBar } = new Process(betasOf(name, 1000));
    return [alphaBar[0]!, alphaBar[999]!];
  };
  assertAlmostEquals(ends("linear")[0], 0.9999, 1e-12);
  assertAlmostEquals(ends("linear")[1], 4.035829765375676e-5, 1e-15);
  assertAlmostEquals(ends("scaled-linear")[0], 1 - 0.00085, 1e-12);
  assertAlmostEquals(ends("scaled-linear")[1], 0.0047, 1e-4);
  assertAlmostEquals(ends("cosine")[0], 0.99996, 1e-5);
  assert(ends("cosine")[1] < 1e-8);
  assert(ends("sigmoid")[0] > 0.999 && ends("sigmoid")[1] < 1e-4);
});

Deno.test("betasOf() gives variances for every schedule and number of steps", () => {
  for (const name of SCHEDULES) {
    for (const steps of [1, 2, 10, 1000]) {
      for (const zeroTerminalSnr of [false, true]) {
        const { alphaBar } = new Process(betasOf(name, steps, { zeroTerminalSnr }));
        assertEquals(alphaBar.length, steps);
        assert(alphaBar.every((a, t) => a < (alphaBar[t - 1] ?? 1)), `${name} ${steps}`);
        if (zeroTerminalSnr) assertEquals(alphaBar[steps - 1], 0);
      }
    }
  }
});

Deno.test("betasOf() throws for a schedule that does not exist, and for no steps", () => {
  assertThrows(
    () => betasOf("square" as ScheduleName, 10),
    RangeError,
    'betasOf: no schedule "square", there are linear, cosine, scaled-linear, sigmoid',
  );
  assertThrows(
    () => betasOf("linear", 0),
    RangeError,
    "betasOf: steps 0 is not a whole number of at least 1",
  );
  assertThrows(
    () => new Process(Float64Array.of(0.1, 1.5)),
    RangeError,
    "Process: beta 1.5 of step 1 is not within 0 to 1",
  );
});

Deno.test("Process.respaced() keeps ᾱ at the kept steps", () => {
  const process = new Process(betasOf("linear", 1000));
  const kept = subsequence(1000, 7);
  const short = process.respaced(kept);
  kept.forEach((t, i) => assertAlmostEquals(short.alphaBar[i]!, process.alphaBar[t]!, 1e-14));
});

Deno.test("subsequence() throws for more steps than there are", () => {
  assertThrows(
    () => subsequence(1000, 1001),
    RangeError,
    "subsequence: 1001 steps of 1000, expected a whole number from 1 to 1000",
  );
});

Deno.test("Diffusion finds image and noise again from every prediction", async () => {
  manualSeed(1);
  const process = new Process(betasOf("cosine", 100));
  const x0 = randn([4, 1, 2, 3]), eps = randn([4, 1, 2, 3]);
  const t = tensor([0, 20, 50, 90], { dtype: "int32" });
  for (const prediction of PREDICTIONS) {
    const diffusion = new Diffusion(process, { prediction });
    const xt = diffusion.qSample(x0, t, eps);
    const output = diffusion.target({ x0, eps, t });
    const image = await diffusion.toX0(output, xt, t).sub(x0).abs().amax().item();
    const noise = await diffusion.toEps(output, xt, t).sub(eps).abs().amax().item();
    assert(image < 2e-5 && noise < 1e-3, `${prediction}: ${image}, ${noise}`);
    const example = { x0, eps, xt, t };
    assertEquals(await diffusion.loss(output, example).amax().item(), 0);
  }
});

Deno.test("Diffusion refuses to predict noise where no signal is left", () => {
  const process = new Process(betasOf("linear", 10, { zeroTerminalSnr: true }));
  assertThrows(
    () => new Diffusion(process),
    RangeError,
    "Diffusion: eps says nothing about an image of which no signal is left (predict v or x0)",
  );
});

Deno.test("Diffusion weighs the loss by min-SNR in the space of the prediction", async () => {
  const process = new Process(betasOf("cosine", 100));
  const t = arange(0, 100, 1, { dtype: "int32" });
  const zero = zeros([100, 1, 1, 1]), one = full([100, 1, 1, 1], 1);
  const weight = (snr: number): Record<Prediction, number> => {
    const capped = Math.min(snr, 5);
    return { x0: capped, eps: capped / snr, v: capped / (snr + 1) };
  };
  for (const prediction of PREDICTIONS) {
    const diffusion = new Diffusion(process, { prediction, minSnr: 5 });
    const example = { x0: zero, eps: zero, xt: zero, t };
    const losses = await diffusion.loss(one, example).data();
    for (const i of [0, 30, 60, 99]) {
      assertAlmostEquals(losses[i]!, weight(process.snr[i]!)[prediction], 1e-5);
    }
  }
});

Deno.test("Diffusion.bits() is 0 for the exact mean, and the entropy of a level at t = 0", async () => {
  const process = new Process(betasOf("linear", 1000));
  const diffusion = new Diffusion(process);
  manualSeed(2);
  const x0 = randn([3, 1, 4, 4]).clamp(-0.9, 0.9);
  const eps = randn([3, 1, 4, 4]);
  const t = tensor([0, 10, 900], { dtype: "int32" });
  const xt = diffusion.qSample(x0, t, eps);
  const bits = await diffusion.bits({ value: eps, share: undefined }, { x0, xt, t }).data();
  // At t = 0 the deviation is √β̃_1 = 0.0074 and a level 2/255 wide: −log₂(Φ(0.53) − Φ(−0.53)).
  assertAlmostEquals(bits[0]!, 1.31, 0.02);
  assertAlmostEquals(bits[1]!, 0, 1e-5);
  assertAlmostEquals(bits[2]!, 0, 1e-5);
});

Deno.test("Diffusion.loss() trains the learned variance and leaves the mean to the simple loss", async () => {
  const process = new Process(betasOf("cosine", 50));
  const diffusion = new Diffusion(process, { variance: "learned-range" });
  manualSeed(3);
  const x0 = randn([2, 1, 2, 2]).clamp(-1, 1), eps = randn([2, 1, 2, 2]);
  const t = tensor([5, 30], { dtype: "int32" });
  const example = { x0, eps, t, xt: diffusion.qSample(x0, t, eps) };
  const output = zeros([2, 2, 2, 2], { requiresGrad: true });
  diffusion.loss(output, example).sum().backward();
  const [mean, variance] = output.grad!.chunk(2, 1);
  const simple = zeros([2, 1, 2, 2], { requiresGrad: true });
  simple.sub(eps).square().flatten(1).mean(1).sum().backward();
  const gap = await mean!.sub(simple.grad!).abs().amax().item();
  assert(gap < 1e-6, `${gap}`);
  assert(await variance!.abs().amin().item() > 0);
});

Deno.test("Diffusion.priorBits() is almost 0 where the noise hides the image", async () => {
  const x0 = full([2, 1, 2, 2], 1);
  const hidden = new Diffusion(new Process(betasOf("cosine", 1000)));
  assert(await hidden.priorBits(x0).amax().item() < 1e-6);
  const seen = new Diffusion(new Process(Float64Array.of(0.5)));
  const expected = 0.5 * (0.5 + 0.5 - 1 - Math.log(0.5)) / Math.LN2;
  assertAlmostEquals(await seen.priorBits(x0).amax().item(), expected, 1e-6);
});
