/**
 * LBFGS beside PyTorch's. The numbers are those of torch 2.15 in float64 on the same problems, with the
 * settings beside them:
 *
 * ```py
 * losses = [float(optimizer.step(closure)) for _ in range(steps)]
 * state = optimizer.state[first]
 * print(losses, parameters, state["func_evals"], state["n_iter"])
 * ```
 */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { compile, F, nn, optim, type Tensor, tensor, zeros } from "../../mod.ts";
import { openTestDevice, testDeviceName } from "../device.ts";

const ignore = !await openTestDevice();
const ON_CPU = { dtype: "float64", device: "cpu", requiresGrad: true } as const;

/** A loss, its parameters, and the first of those, which has the state. */
interface Problem {
  parameters: Tensor[];
  loss(): Tensor;
}

/** Rosenbrock's valley from its usual start. */
function rosenbrock(options: object = ON_CPU): Problem {
  const w = tensor([-1.2, 1], { requiresGrad: true, ...options });
  return {
    parameters: [w],
    loss: () => {
      const x = w.select(0, 0), y = w.select(0, 1);
      return y.sub(x.square()).square().mul(100).add(x.neg().add(1).square());
    },
  };
}

/** Two layers on eight points; one more parameter has no part in the loss. */
function regression(sign = 1): Problem {
  const table = (rows: number, columns: number, of: (i: number, j: number) => number): number[][] =>
    Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => of(i, j)));
  const x = tensor(table(8, 3, (i, j) => Math.sin(3 * i + j)), { ...ON_CPU, requiresGrad: false });
  const y = tensor(table(8, 1, (i) => Math.cos(2 * i)), { ...ON_CPU, requiresGrad: false });
  const a = tensor(table(4, 3, (i, j) => 0.5 * Math.sin(i + 2 * j)), ON_CPU);
  const b = tensor(table(4, 1, (i) => 0.3 * Math.cos(i)).flat(), ON_CPU);
  return {
    parameters: [a, tensor([1], ON_CPU), b],
    loss: () =>
      x.matmul(a.transpose(0, 1)).tanh().matmul(b.unsqueeze(1)).sub(y).square().mean().mul(sign),
  };
}

/** What drops the gradients and makes them anew. */
function closureOf({ loss, parameters }: Problem, count: () => void = () => {}): () => Tensor {
  return () => {
    for (const p of parameters) p.grad = undefined;
    const value = loss();
    value.backward();
    count();
    return value;
  };
}

type Settings = ConstructorParameters<typeof optim.LBFGS>[1];

const WOLFE = { lineSearchFn: "strongWolfe" } as const;

interface Trace {
  problem: Problem;
  settings: Settings;
  losses: number[];
  parameters: number[];
  counts: [evaluations: number, iterations: number];
}

const TRACES: Readonly<Record<string, Trace>> = {
  "a line search in a valley": {
    problem: rosenbrock(),
    settings: { maxIter: 4, ...WOLFE },
    losses: [
      24.199999999999996,
      4.121126775765638,
      3.9091442795206377,
      2.456257721580502,
      1.6579626408971875,
      0.6529776962626517,
    ],
    parameters: [0.38062264334648777, 0.12491013187293636],
    counts: [30, 19],
  },
  "a short history and few evaluations": {
    problem: rosenbrock(),
    settings: { lr: 0.5, historySize: 2, maxIter: 5, maxEval: 9, ...WOLFE },
    losses: [
      24.199999999999996,
      4.149337544962249,
      4.087545115320266,
      2.833305657389016,
      1.6795370739642386,
    ],
    parameters: [0.12282627790155726, -0.006791933583935487],
    counts: [31, 25],
  },
  "twenty iterations a step": {
    problem: rosenbrock(),
    settings: WOLFE,
    losses: [24.199999999999996, 0.4234823024380289, 4.221457511263308e-10],
    parameters: [0.9999814210791366, 0.9999619651810989],
    counts: [45, 36],
  },
  "steps of fixed length": {
    problem: rosenbrock(),
    settings: { lr: 0.2, maxIter: 5 },
    losses: [
      24.199999999999996,
      4.215671386751045,
      4.121422944894748,
      4.090518168798604,
      4.016779924419806,
    ],
    parameters: [0.8820296218882457, -2.098954879297999],
    counts: [25, 25],
  },
  "a line search over several parameters": {
    problem: regression(),
    settings: { maxIter: 5, ...WOLFE },
    losses: [0.5335586738953787, 0.4786207250264665, 0.47519041385789773, 0.4686564157565371],
    // deno-fmt-ignore
    parameters: [
      0.23941275987140315, -0.47944746191434434, -1.6272026423891408, 0.7411556308139086,
      -0.11969393453642058, -1.0054715591573238, 1.7315684640505178, -1.986651711178807,
      -3.15451036744909, 0.2702947355875178, 0.3996707094380383, 1.0787535763498903,
      1, -0.46263630942475925, 2.143813465512203, -1.7891607712336228, -0.3251531210736144,
    ],
    counts: [25, 18],
  },
  "steps of fixed length over several parameters": {
    problem: regression(),
    settings: { lr: 0.5, maxIter: 3 },
    losses: [
      0.5335586738953787,
      0.48261519619397286,
      0.4802822948689992,
      0.479621806485017,
      0.4789326355245018,
    ],
    // deno-fmt-ignore
    parameters: [
      -0.09632102270437642, 0.3891998138419855, -0.3528046076589184, 0.40470116026067193,
      0.08053493441429138, -0.4526488494132075, 0.5142207106558977, -0.42096036230372225,
      -0.2452693219044613, 0.20253425215591012, -0.3963753919431343, 0.2863029714743187,
      1, 0.15238284690380405, 0.01992829561742386, -0.28952272001008045, -0.16462394526501728,
    ],
    counts: [15, 10],
  },
  "the way up": {
    problem: regression(-1),
    settings: { maxIter: 3, maximize: true, ...WOLFE },
    losses: [-0.5335586738953787, -0.4802652365925585, -0.4791770093360892],
    // deno-fmt-ignore
    parameters: [
      -0.08186031528623312, 0.3976792674780883, -0.3581023783728852, 0.3980971127588036,
      0.0900309854428667, -0.4357833253765777, 0.5050609455246273, -0.38862992177127675,
      -0.20117313363436493, 0.1786291192819407, -0.40771958071794434, 0.29794952164182165,
      1, 0.12063038199987057, -0.007458097921863873, -0.2868368259831201, -0.14116519151933007,
    ],
    counts: [9, 6],
  },
};

async function valuesOf(parameters: readonly Tensor[]): Promise<number[]> {
  return (await Promise.all(parameters.map(async (p) => [...await p.data()].map(Number)))).flat();
}

/** Rounding grows from step to step; these problems have a few dozen. */
function assertClose(got: readonly number[], wanted: readonly number[], what: string): void {
  assertEquals(got.length, wanted.length, what);
  for (const [i, x] of got.entries()) assertAlmostEquals(x, wanted[i]!, 1e-9, `${what} ${i}`);
}

for (const [name, trace] of Object.entries(TRACES)) {
  Deno.test(`LBFGS takes PyTorch's steps: ${name}`, async () => {
    const { problem, settings, losses, parameters, counts } = trace;
    const optimizer = new optim.LBFGS(problem.parameters, settings);
    let calls = 0;
    const closure = closureOf(problem, () => calls++);
    const got: number[] = [];
    for (let i = 0; i < losses.length; i++) got.push(await (await optimizer.step(closure)).item());
    assertClose(got, losses, "loss");
    assertClose(await valuesOf(problem.parameters), parameters, "parameter");
    const { func_evals: evaluations, n_iter: iterations } = optimizer.stateDict().state[0]!;
    assertEquals([await evaluations!.item(), await iterations!.item()], counts);
    assertEquals(calls, counts[0]);
  });
}

Deno.test({
  name: `LBFGS finds the minimum of Rosenbrock's valley: ${testDeviceName()}`,
  ignore,
  fn: async () => {
    const problem = rosenbrock({});
    const optimizer = new optim.LBFGS(problem.parameters, WOLFE);
    for (let i = 0; i < 3; i++) await optimizer.step(closureOf(problem));
    assertEquals(problem.parameters[0]!.dtype, "float32");
    for (const w of await valuesOf(problem.parameters)) assertAlmostEquals(w, 1, 1e-3);
  },
});

Deno.test({
  name: `LBFGS fits a layer: ${testDeviceName()}`,
  ignore,
  fn: async () => {
    const x = tensor([[1, 2], [3, -1], [0, 1], [-2, 1]]);
    const y = x.matmul(tensor([[2], [-3]])).add(0.5);
    const model = new nn.Linear(2, 1);
    const optimizer = new optim.LBFGS(model.parameters(), WOLFE);
    const loss = (): Tensor => F.mseLoss(model.forward(x), y);
    await optimizer.step(closureOf({ parameters: model.parameters(), loss }));
    const values = await valuesOf(model.parameters());
    for (const [i, w] of [2, -3, 0.5].entries()) assertAlmostEquals(values[i]!, w, 1e-3);
  },
});

Deno.test("LBFGS continues bit for bit from stateDict()", async () => {
  for (const settings of [{ maxIter: 3, ...WOLFE }, { maxIter: 3, lr: 0.3 }]) {
    const one = regression(), twin = regression();
    const first = new optim.LBFGS(one.parameters, settings);
    for (let i = 0; i < 2; i++) await first.step(closureOf(one));
    const saved = first.stateDict();
    assertEquals(saved.param_groups[0]!.history_size, 100);
    for (const [i, p] of twin.parameters.entries()) p.detach().copy_(one.parameters[i]!.detach());
    const second = new optim.LBFGS(twin.parameters, { lr: 7 });
    second.loadStateDict(saved);
    for (let i = 0; i < 2; i++) {
      await first.step(closureOf(one));
      await second.step(closureOf(twin));
    }
    assertEquals(await valuesOf(twin.parameters), await valuesOf(one.parameters));
  }
});

Deno.test("LBFGS leaves parameters alone where the gradient is zero", async () => {
  const w = tensor([0, 0], ON_CPU);
  const problem = { parameters: [w], loss: () => w.square().sum() };
  const optimizer = new optim.LBFGS([w], WOLFE);
  assertEquals(await (await optimizer.step(closureOf(problem))).item(), 0);
  assertEquals(optimizer.stateDict().state, {});
  optimizer.zeroGrad();
  assert(w.grad === undefined);
});

Deno.test("LBFGS is taken by a scheduler", () => {
  const optimizer = new optim.LBFGS([zeros([1], { requiresGrad: true })]);
  new optim.StepLR(optimizer, 1, { gamma: 0.5 }).step();
  assertEquals(optimizer.paramGroups[0].lr, 0.5);
});

Deno.test("LBFGS refuses what it cannot do, with the numbers", async () => {
  const w = tensor([1], { requiresGrad: true });
  const cases: [() => unknown, string][] = [
    [() => new optim.LBFGS([]), "LBFGS: there are no parameters"],
    [() => new optim.LBFGS([w, w]), "LBFGS: a parameter appears twice"],
    [
      () => new optim.LBFGS([{ params: [w] }] as unknown as Tensor[]),
      "LBFGS: the parameters are groups (pass one list of parameters)",
    ],
    [
      () => new optim.LBFGS([w, tensor([1], ON_CPU)]),
      `LBFGS: parameters are of several kinds: float32 on ${w.device}, float64 on cpu`,
    ],
    [() => new optim.LBFGS([w], { lr: -1 }), "LBFGS: lr -1 is not at least 0"],
    [
      () => new optim.LBFGS([w], { historySize: 0 }),
      "LBFGS: historySize 0 is not a whole number of at least 1",
    ],
    [
      () => new optim.LBFGS([w], { lineSearchFn: "armijo" as "strongWolfe" }),
      'LBFGS: lineSearchFn is "armijo", expected "strongWolfe" or null',
    ],
  ];
  for (const [make, message] of cases) assertEquals(assertThrows(make, Error).message, message);
  const optimizer = new optim.LBFGS([w]);
  let pending: Promise<Tensor> | undefined;
  compile((x: Tensor) => {
    pending = optimizer.step(() => x.sum());
    return x;
  })(zeros([1]));
  const error = await assertRejects(() => pending!, Error);
  assertEquals(
    error.message,
    "LBFGS.step: a compiled function cannot read values while it is traced (call it outside)",
  );
  assertEquals(
    assertThrows(
      () => optimizer.loadStateDict({ state: {}, param_groups: [{ params: [0, 1] }] }),
      Error,
    ).message,
    "loadStateDict: group 0 was saved with 2 parameters, the optimizer has 1",
  );
});
