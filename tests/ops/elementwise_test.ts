import { assert } from "@std/assert";
import { gradcheck, gradgradcheck, type Tensor } from "../../ops/mod.ts";
import { allElementwise, applyElementwise, type ElementwiseOp } from "../../ops/define.ts";
import { copyTo, Inputs, worst } from "./_random.ts";

/** Transcendental functions are within a few units of the last place of float32. */
const FLOAT32_TOLERANCE = 5e-6;

/** Shapes that broadcast, a scalar and an empty axis among them. */
const SHAPES: readonly (readonly (readonly number[])[])[] = [
  [[3, 4], [4], [3, 1], []],
  [[], [2, 3], [1, 3], [2, 1]],
  [[65], [65], [65], [65]],
  [[0, 3], [3], [1, 1], []],
];

function arity(op: ElementwiseOp): number {
  return op.definition.arity ?? op.definition.scalar.length;
}

function draw(op: ElementwiseOp, shapes: readonly (readonly number[])[], inputs: Inputs): Tensor[] {
  const [low, high] = op.definition.domain;
  return shapes.slice(0, arity(op)).map((shape) => {
    const x = inputs.draw(shape, low, high);
    return op.definition.dtypes === "integral" ? x.to("int32") : x.detach();
  });
}

/** Inputs with a gradient, where not all have one: settings of activations have none. */
const GRADIENTS: Readonly<Record<string, readonly boolean[]>> = {
  elu: [true],
  softplus: [true],
};

/** Whether there is a gradient to check. */
function differentiable(op: ElementwiseOp): boolean {
  return op.definition.gradient !== undefined && op.definition.dtypes !== "integral";
}

for (const op of allElementwise()) {
  const { name } = op.definition;

  Deno.test(`${name}() in float32 on the cpu equals float64`, async () => {
    const inputs = new Inputs();
    for (const shapes of SHAPES) {
      const exact = draw(op, shapes, inputs);
      // What float32 holds is what both compute with.
      const rough = await Promise.all(
        exact.map((x) => copyTo(x, "cpu", x.dtype === "int32" ? "int32" : "float32")),
      );
      const same = await Promise.all(
        rough.map((x) => copyTo(x, "reference", x.dtype === "int32" ? "int32" : "float64")),
      );
      const wanted = await applyElementwise(op, same).data();
      const error = worst(await applyElementwise(op, rough).data(), wanted);
      assert(error < FLOAT32_TOLERANCE, `differs by ${error}`);
    }
  });

  if (!differentiable(op)) continue;

  Deno.test(`${name}() has the gradient of finite differences, twice`, async () => {
    const inputs = new Inputs();
    for (const shapes of SHAPES.slice(0, 2)) {
      const drawn = draw(op, shapes, inputs);
      const watched = GRADIENTS[name] ?? drawn.map(() => true);
      for (const [i, x] of drawn.entries()) x.setRequiresGrad(watched[i] === true);
      const f = (...xs: Tensor[]) => applyElementwise(op, xs);
      await gradcheck(f, drawn);
      await gradgradcheck(f, drawn);
    }
  });
}
