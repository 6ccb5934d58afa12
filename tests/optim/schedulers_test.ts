import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { optim, zeros } from "../../mod.ts";

function sgd(lr: number): optim.SGD {
  return new optim.SGD([zeros([1], { requiresGrad: true })], { lr, momentum: 0.9 });
}

function run(optimizer: optim.SGD, scheduler: { step(): void }, steps: number): number[] {
  return Array.from({ length: steps }, () => {
    scheduler.step();
    return optimizer.paramGroups[0]!.lr;
  });
}

Deno.test("schedulers continue from stateDict()", () => {
  const make: ((o: optim.SGD) => optim.LRScheduler)[] = [
    (o) => new optim.StepLR(o, 2),
    (o) => new optim.CosineAnnealingLR(o, 5),
    (o) => new optim.CosineAnnealingWarmRestarts(o, 3, { tMult: 2 }),
    (o) => new optim.OneCycleLR(o, 1, { totalSteps: 20 }),
    (o) => new optim.LinearLR(o),
  ];
  for (const kind of make) {
    const whole = sgd(0.5);
    const wanted = run(whole, kind(whole), 9);
    const first = sgd(0.5), before = kind(first);
    run(first, before, 4);
    const second = sgd(0.5), after = kind(second);
    second.loadStateDict(first.stateDict());
    after.loadStateDict(JSON.parse(JSON.stringify(before.stateDict())));
    assertEquals(run(second, after, 5), wanted.slice(4));
  }
});

Deno.test("SequentialLR starts the next scheduler from the first learning rate", () => {
  const optimizer = sgd(1);
  const warmup = new optim.ConstantLR(optimizer, { factor: 0.1, totalIters: 2 });
  const decay = new optim.ExponentialLR(optimizer, 0.9);
  const scheduler = new optim.SequentialLR(optimizer, [warmup, decay], [2]);
  assertEquals(optimizer.paramGroups[0]!.lr, 0.1);
  const lrs = run(optimizer, scheduler, 4);
  for (const [i, lr] of [0.1, 1, 0.9, 0.81].entries()) assertAlmostEquals(lrs[i]!, lr);
  assertThrows(
    () => new optim.SequentialLR(optimizer, [warmup, decay], []),
    Error,
    "SequentialLR: 2 schedulers need 1 milestones, not 0",
  );
});

Deno.test("ChainedScheduler multiplies factors", () => {
  const optimizer = sgd(1);
  const scheduler = new optim.ChainedScheduler([
    new optim.ConstantLR(optimizer, { factor: 0.1, totalIters: 2 }),
    new optim.ExponentialLR(optimizer, 0.9),
  ]);
  const lrs = run(optimizer, scheduler, 3);
  for (const [i, lr] of [0.09, 0.81, 0.729].entries()) assertAlmostEquals(lrs[i]!, lr);
});

Deno.test("OneCycleLR moves momentum against the learning rate", () => {
  const optimizer = sgd(1);
  const scheduler = new optim.OneCycleLR(optimizer, 1, { totalSteps: 10, pctStart: 0.5 });
  assertAlmostEquals(optimizer.paramGroups[0]!.momentum, 0.95);
  run(optimizer, scheduler, 4);
  assertAlmostEquals(optimizer.paramGroups[0]!.momentum, 0.85);
});

Deno.test("ReduceLROnPlateau continues from stateDict() as JSON before the first metric", () => {
  for (const mode of ["min", "max"] as const) {
    const optimizer = sgd(1), options = { mode, patience: 0, factor: 0.5 };
    const first = new optim.ReduceLROnPlateau(optimizer, options);
    const second = new optim.ReduceLROnPlateau(optimizer, options);
    second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())));
    second.step(mode === "min" ? 5 : -5);
    assertEquals(optimizer.paramGroups[0]!.lr, 1);
  }
});

function twoGroups(): optim.SGD {
  const groups = [1, 1].map((size) => ({ params: [zeros([size], { requiresGrad: true })] }));
  return new optim.SGD(groups, { lr: 1, momentum: 0.9 });
}

Deno.test("schedulers take one bound for each group", () => {
  const plateau = twoGroups();
  const reducer = new optim.ReduceLROnPlateau(plateau, { patience: 0, minLr: [0.2, 0.5] });
  for (const metric of [1, 2]) reducer.step(metric);
  assertEquals(plateau.paramGroups.map((group) => group.lr), [0.2, 0.5]);
  const cyclic = twoGroups();
  const cycle = new optim.CyclicLR(cyclic, [0.5, 0.25], [1, 0.75], {
    stepSizeUp: 1,
    baseMomentum: [0.25, 0.5],
    maxMomentum: 0.75,
  });
  assertEquals(cyclic.paramGroups.map((group) => group.lr), [0.5, 0.25]);
  cycle.step();
  assertEquals(cyclic.paramGroups.map((group) => group.lr), [1, 0.75]);
  assertEquals(cyclic.paramGroups.map((group) => group.momentum), [0.25, 0.5]);
});

Deno.test("schedulers leave groups alone that the optimizer got later", () => {
  const make: ((o: optim.SGD) => { step(): void })[] = [
    (o) => new optim.LambdaLR(o, (n) => 1 / (n + 1)),
    (o) => new optim.MultiplicativeLR(o, () => 0.5),
    (o) => new optim.CosineAnnealingLR(o, 1),
    (o) => new optim.OneCycleLR(o, 1, { totalSteps: 10 }),
    (o) => new optim.CyclicLR(o, 0.1, 1),
  ];
  for (const kind of make) {
    const optimizer = sgd(0.5), scheduler = kind(optimizer);
    optimizer.addParamGroup({ params: [zeros([1], { requiresGrad: true })], lr: 0.25 });
    for (let i = 0; i < 3; i++) scheduler.step();
    const { lr, momentum } = optimizer.paramGroups[1]!;
    assertEquals([lr, momentum], [0.25, 0.9]);
  }
});

Deno.test("schedulers refuse what is not allowed", () => {
  const cases: [() => unknown, string][] = [
    [() => new optim.StepLR(sgd(1), 0), "StepLR: stepSize 0 is not a positive whole number"],
    [
      () => new optim.OneCycleLR(sgd(1), 1),
      "OneCycleLR: totalSteps NaN is not a positive whole number",
    ],
    [
      () => new optim.LambdaLR(sgd(1), [(n) => n, (n) => n]),
      "LambdaLR: 2 functions were given for 1 groups",
    ],
    [
      () => new optim.OneCycleLR(sgd(1), [1, 2], { totalSteps: 10 }),
      "OneCycleLR: 2 highest rates were given for 1 groups",
    ],
    [
      () => {
        const plain = new optim.Adagrad([zeros([1], { requiresGrad: true })]);
        return new optim.CyclicLR(plain, 0.1, 1);
      },
      "CyclicLR: the optimizer has no momentum (pass { cycleMomentum: false })",
    ],
    [
      () => new optim.ReduceLROnPlateau(sgd(1), { factor: 1 }),
      "ReduceLROnPlateau: factor 1 is not below 1",
    ],
    [
      () => new optim.ReduceLROnPlateau(sgd(1), { mode: "low" as "min" }),
      'ReduceLROnPlateau: mode "low" is not one of min, max',
    ],
    [
      () => new optim.CyclicLR(sgd(1), 0.1, 1, { mode: "exp_range" as "expRange" }),
      'CyclicLR: mode "exp_range" is not one of triangular, triangular2, expRange',
    ],
  ];
  for (const [make, message] of cases) assertThrows(make, Error, message);
});
