import { assert, assertEquals } from "@std/assert";
import { compile, grad, gradcheck, gradgradcheck, type Tensor } from "../../ops/mod.ts";
import { allDefinitions, allElementwise } from "../../ops/define.ts";
import { copyTo, Inputs, worst } from "./_random.ts";
import { COMPOSITES } from "./_composites.ts";
import { type Sample, SAMPLES, SOURCES } from "./_samples.ts";

/** float32 against float64: sums here are of at most a few hundred elements. */
const FLOAT32_TOLERANCE = 2e-5;

function inputsOf(sample: Sample): Tensor[] {
  const inputs = new Inputs();
  return sample.shapes.map((shape) => inputs.draw(shape).detach().setRequiresGrad(true));
}

/** Value and gradients of the sum of squares of the output. */
function results(sample: Sample, inputs: readonly Tensor[]): Tensor[] {
  const device = inputs[0]?.device ?? "cpu";
  const y = sample.run(inputs, device);
  if (!sample.differentiable) return [y];
  const grads = grad(y.square().sum(), inputs, { allowUnused: true });
  return [y, ...grads.map((g, i) => g ?? inputs[i]!.mul(0))].map((x) => x.detach());
}

Deno.test("every definition has a sample", () => {
  const elementwise = new Set(allElementwise().map((op) => op.definition.name));
  const covered = new Set([...SOURCES, ...SAMPLES.flatMap((sample) => sample.covers)]);
  const missing = allDefinitions().map((d) => d.name)
    .filter((name) => !elementwise.has(name) && !covered.has(name));
  assertEquals([...new Set(missing)], []);
});

for (const sample of [...SAMPLES, ...COMPOSITES]) {
  Deno.test(`${sample.name} in float32 on the cpu equals float64`, async () => {
    const exact = inputsOf(sample);
    const rough = await Promise.all(exact.map((x) => copyTo(x, "cpu", "float32")));
    const wanted = results(sample, exact), got = results(sample, rough);
    for (const [i, y] of wanted.entries()) {
      const error = worst(await got[i]!.data(), await y.data());
      assert(error < FLOAT32_TOLERANCE, `result ${i} differs by ${error}`);
    }
  });

  if (!sample.differentiable) continue;

  Deno.test(`${sample.name} has the gradient of finite differences, twice`, async () => {
    const inputs = inputsOf(sample);
    await gradcheck((...xs) => sample.run(xs, "reference"), inputs);
    await gradgradcheck((...xs) => sample.run(xs, "reference"), inputs);
  });

  Deno.test(`${sample.name} compiled equals eager`, async () => {
    const inputs = await Promise.all(inputsOf(sample).map((x) => copyTo(x, "cpu", "float32")));
    const eager = results(sample, inputs);
    const step = compile((...xs: Tensor[]) => results(sample, xs), { name: sample.name });
    for (let replay = 0; replay < 2; replay++) {
      const got = step(...inputs);
      for (const [i, y] of eager.entries()) {
        const error = worst(await got[i]!.data(), await y.data());
        assert(error < FLOAT32_TOLERANCE, `result ${i} differs by ${error}`);
      }
    }
    step.dispose();
  });
}
