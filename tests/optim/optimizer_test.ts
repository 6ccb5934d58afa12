import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  compile,
  F,
  manualSeed,
  nn,
  noGrad,
  ones,
  optim,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "../../mod.ts";

type AnyOptimizer = new (params: Iterable<Tensor>, settings: object) => optim.Optimizer;

/** Every optimizer, with settings that use all of its state. */
const OPTIMIZERS: readonly (readonly [AnyOptimizer, object])[] = [
  [optim.SGD, { lr: 0.1, momentum: 0.9, dampening: 0.1 }],
  [optim.Adam, { lr: 0.01, amsgrad: true }],
  [optim.AdamW, { lr: 0.01 }],
  [optim.Adamax, {}],
  [optim.NAdam, {}],
  [optim.RAdam, {}],
  [optim.RMSprop, { momentum: 0.9, centered: true }],
  [optim.Adagrad, { lrDecay: 0.1 }],
  [optim.Adadelta, {}],
  [optim.Rprop, {}],
  [optim.ASGD, {}],
  [optim.Adafactor, {}],
  [optim.Muon, { lr: 0.01 }],
] as unknown as [AnyOptimizer, object][];

function makeNet(): nn.Sequential {
  return new nn.Sequential(
    new nn.Linear(5, 7, { bias: false }),
    F.tanh,
    new nn.Linear(7, 3, { bias: false }),
  );
}

function train(net: nn.Sequential, optimizer: optim.Optimizer, x: Tensor, steps: number): void {
  for (let i = 0; i < steps; i++) {
    optimizer.zeroGrad();
    net.forward(x).square().mean().backward();
    optimizer.step();
  }
}

async function valuesOf(net: nn.Module): Promise<number[][]> {
  return await Promise.all(net.parameters().map(async (p) => [...await p.data()]));
}

Deno.test("optimizers continue bit for bit from stateDict()", async (t) => {
  for (const [kind, settings] of OPTIMIZERS) {
    await t.step(kind.name, async () => {
      manualSeed(1);
      const net = makeNet(), x = randn([4, 5]);
      const optimizer = new kind(net.parameters(), settings);
      train(net, optimizer, x, 3);
      const resumed = makeNet();
      resumed.loadStateDict(net.stateDict());
      const second = new kind(resumed.parameters(), settings);
      second.loadStateDict(optimizer.stateDict());
      train(net, optimizer, x, 3);
      train(resumed, second, x, 3);
      assertEquals(await valuesOf(resumed), await valuesOf(net));
    });
  }
});

Deno.test("optimizers give the same compiled and step by step", async (t) => {
  for (const [kind, settings] of OPTIMIZERS) {
    await t.step(kind.name, async () => {
      manualSeed(2);
      const net = makeNet(), twin = makeNet(), x = randn([4, 5]);
      twin.loadStateDict(net.stateDict());
      const optimizer = new kind(net.parameters(), settings);
      train(net, optimizer, x, 4);
      const other = new kind(twin.parameters(), settings);
      const step = compile((input: Tensor) => train(twin, other, input, 1));
      for (let i = 0; i < 4; i++) step(x);
      assertEquals(step.planCount, 1);
      const [a, b] = [await valuesOf(net), await valuesOf(twin)].map((list) => list.flat());
      const gap = Math.max(...a!.map((v, i) => Math.abs(v - b![i]!)));
      assert(gap < 1e-5, `differs by ${gap}`);
    });
  }
});

Deno.test("Optimizer moves parameters into one array and keeps their handles", async () => {
  const net = makeNet();
  const [a, b] = net.parameters() as [nn.Parameter, nn.Parameter];
  const before = await valuesOf(net);
  new optim.SGD(net.parameters());
  assertStrictEquals(net.parameters()[0], a);
  assertStrictEquals(a.storage, b.storage);
  assertEquals([a.offset % 64, b.offset % 64], [0, 0]);
  assertEquals(await valuesOf(net), before);
});

Deno.test("Optimizer updates all parameters with one kernel", () => {
  const net = new nn.Sequential(new nn.Linear(300, 200), new nn.Linear(200, 100));
  const optimizer = new optim.AdamW(net.parameters());
  const step = compile(() => optimizer.step());
  for (const p of net.parameters()) p.grad = ones(p.shape);
  const kernels = step.describe().split("\n").filter((line) => /\[\d+, 64\]/.test(line));
  assertEquals(kernels.length, 1, step.describe());
});

Deno.test("Optimizer leaves parameters without a gradient alone", async () => {
  const used = tensor([1, 2, 3], { requiresGrad: true });
  const unused = tensor([4, 5], { requiresGrad: true });
  const optimizer = new optim.Adam([used, unused], { lr: 0.1, weightDecay: 0.5 });
  used.sum().backward();
  optimizer.step();
  assertEquals([...await unused.data()], [4, 5]);
  assertEquals(Object.keys(optimizer.stateDict().state), ["0"]);
});

Deno.test("Optimizer counts the steps of each parameter by itself", async () => {
  const lr = 0.1;
  const a = tensor([1], { requiresGrad: true }), b = tensor([1], { requiresGrad: true });
  const alone = tensor([1], { requiresGrad: true });
  const together = new optim.Adam([a, b], { lr }), apart = new optim.Adam([alone], { lr });
  for (let i = 0; i < 4; i++) {
    a.grad = tensor([1]);
    b.grad = i % 2 ? undefined : tensor([i + 1]);
    together.step();
    if (i % 2) continue;
    alone.grad = tensor([i + 1]);
    apart.step();
  }
  assertEquals(await b.item(), await alone.item());
  const { state } = together.stateDict();
  assertEquals([await state[0]!.step!.item(), await state[1]!.step!.item()], [4, 2]);
});

Deno.test("Optimizer reads the learning rate anew in a compiled step", async () => {
  const w = tensor([0], { requiresGrad: true });
  const optimizer = new optim.SGD([w], { lr: 1 });
  const step = compile(() => {
    optimizer.zeroGrad();
    w.sum().backward();
    optimizer.step();
  });
  step();
  optimizer.paramGroups[0]!.lr = 10;
  step();
  assertEquals([await w.item(), step.planCount], [-11, 1]);
});

Deno.test("Optimizer traces anew when a setting turns a branch", async () => {
  const w = tensor([2], { requiresGrad: true });
  const optimizer = new optim.SGD([w], { lr: 1 });
  const step = compile(() => {
    w.grad = zeros([1]);
    optimizer.step();
  });
  step();
  assertEquals(await w.item(), 2);
  optimizer.paramGroups[0]!.weightDecay = 0.5;
  step();
  assertEquals(await w.item(), 1);
});

Deno.test("Optimizer traces anew when a group is added", async () => {
  const [a, b] = [0, 1].map(() => tensor([0], { requiresGrad: true })) as [Tensor, Tensor];
  const optimizer = new optim.SGD([a], { lr: 1 });
  const step = compile(() => {
    for (const p of [a, b]) p.grad = ones([1]);
    optimizer.step();
  });
  step();
  optimizer.addParamGroup({ params: [b], lr: 0.5 });
  step();
  assertEquals([await a.item(), await b.item()], [-2, -0.5]);
});

Deno.test("Optimizer has groups with settings of their own", async () => {
  const a = tensor([1], { requiresGrad: true }), b = tensor([1], { requiresGrad: true });
  const optimizer = new optim.SGD([{ params: [a], lr: 0.5 }, { params: [b] }], { lr: 0.25 });
  a.add(b).sum().backward();
  optimizer.step();
  assertEquals([await a.item(), await b.item()], [0.5, 0.75]);
});

Deno.test("Optimizer.stateDict() has PyTorch's form", () => {
  const w = ones([2, 2], { requiresGrad: true });
  const optimizer = new optim.AdamW([w], { lr: 0.1 });
  w.sum().backward();
  optimizer.step();
  const { state, param_groups } = optimizer.stateDict();
  assertEquals(Object.keys(state[0]!), ["step", "exp_avg", "exp_avg_sq"]);
  assertEquals(state[0]!.exp_avg!.shape, [2, 2]);
  assertEquals(param_groups[0]!.weight_decay, 0.01);
  assertEquals(param_groups[0]!.params, [0]);
});

Deno.test("Optimizer.stateDict() has PyTorch's names of choices, and takes them", () => {
  const muon = new optim.Muon([ones([2, 2], { requiresGrad: true })], {
    adjustLrFn: "matchRmsAdamw",
  });
  const saved = muon.stateDict();
  assertEquals(saved.param_groups[0]!.adjust_lr_fn, "match_rms_adamw");
  const resumed = new optim.Muon([ones([2, 2], { requiresGrad: true })]);
  resumed.loadStateDict(saved);
  assertEquals(resumed.paramGroups[0]!.adjustLrFn, "matchRmsAdamw");
  const lbfgs = new optim.LBFGS([ones([2], { requiresGrad: true })], {
    lineSearchFn: "strongWolfe",
  });
  assertEquals(lbfgs.stateDict().param_groups[0]!.line_search_fn, "strong_wolfe");
});

Deno.test("Adam with decoupledWeightDecay is AdamW", async () => {
  const [a, b] = [0, 1].map(() => tensor([1, -2], { requiresGrad: true })) as [Tensor, Tensor];
  const settings = { lr: 0.1, weightDecay: 0.5 };
  const adam = new optim.Adam([a], { ...settings, decoupledWeightDecay: true });
  const adamW = new optim.AdamW([b], settings);
  for (const p of [a, b]) p.grad = tensor([0.5, 0.25]);
  adam.step();
  adamW.step();
  assertEquals([...await a.data()], [...await b.data()]);
  const flags = [adam, adamW].map((o) => o.stateDict().param_groups[0]!.decoupled_weight_decay);
  assertEquals(flags, [true, true]);
});

Deno.test("Rprop and ASGD begin with the learning rate of each parameter's first step", async () => {
  for (const kind of [optim.Rprop, optim.ASGD]) {
    const early = tensor([1], { requiresGrad: true }), late = tensor([1], { requiresGrad: true });
    const optimizer = new kind([early, late], { lr: 0.5 });
    early.grad = tensor([1]);
    optimizer.step();
    optimizer.paramGroups[0]!.lr = 0.25;
    late.grad = tensor([1]);
    optimizer.step();
    assert(Math.abs(await late.item() - 0.75) < 1e-4);
  }
});

Deno.test("RMSprop divides a small gradient after large ones by its own size", async () => {
  const w = tensor([0], { requiresGrad: true });
  const optimizer = new optim.RMSprop([w], { lr: 1, alpha: 0 });
  const before: number[] = [];
  for (const g of [100, 0.01]) {
    before.push(await w.item());
    w.grad = tensor([g]);
    optimizer.step();
  }
  assert(Math.abs(before[1]! - await w.item() - 1) < 1e-3);
});

Deno.test("optimizers refuse what is not allowed, with the numbers", () => {
  const w = () => [zeros([1], { requiresGrad: true })];
  const cases: [() => unknown, string][] = [
    [() => new optim.SGD(w(), { lr: -1 }), "SGD: lr -1 is not at least 0"],
    [
      () => new optim.SGD(w(), 0.1 as unknown as object),
      "SGD: settings are 0.1, expected an object ({ lr: 0.1 })",
    ],
    [
      () => new optim.Adadelta(w(), { learningRate: 1 } as object),
      "Adadelta: no setting is called learningRate (lr, rho, eps, weightDecay, maximize)",
    ],
    [
      () => new optim.Adadelta([{ params: w(), decay: 1 } as { params: Tensor[] }]),
      "Adadelta: no setting is called decay (lr, rho, eps, weightDecay, maximize)",
    ],
    [
      () => new optim.SGD(w(), { nesterov: true }),
      "SGD: nesterov needs momentum above 0 and no dampening: momentum 0, dampening 0",
    ],
    [
      () => new optim.Adam(w(), { betas: [0.9, 1] }),
      "Adam: betas[1] 1 is not at least 0 and below 1",
    ],
    [
      () => new optim.SGD(makeNet() as unknown as Tensor[]),
      "SGD: a parameter is no tensor (pass module.parameters())",
    ],
    [
      () =>
        new optim.Adam(w()).loadStateDict({
          state: { 0: { exp_avg: zeros([3]) } },
          param_groups: [{ params: [0] }],
        }),
      'loadStateDict: "exp_avg" does not fit its parameter: parameter [1], given [3]',
    ],
    [() => new optim.Adam(w(), { eps: -1 }), "Adam: eps -1 is not at least 0"],
    [
      () => new optim.Muon(w()),
      "Muon: only matrices can be orthogonalized: parameter [1]",
    ],
    [() => new optim.SGD([]), "SGD: there are no parameters"],
    [
      () => {
        const p = zeros([1], { requiresGrad: true });
        return new optim.SGD([p, p]);
      },
      "SGD: a parameter appears twice",
    ],
    [
      () => new optim.SGD([zeros([1], { requiresGrad: true }).mul(2)]),
      "SGD: a computed tensor cannot be optimized (pass leaves)",
    ],
    [
      () => new optim.SGD([zeros([1], { dtype: "int32" })]),
      "SGD: a parameter has dtype int32, which has no gradient",
    ],
    [
      () => new optim.SGD(w()).loadStateDict({ state: {}, param_groups: [] }),
      "loadStateDict: 0 parameter groups were saved, the optimizer has 1",
    ],
    [
      () => new optim.SGD(w()).loadStateDict({ state: {}, param_groups: [{ params: [0, 1] }] }),
      "loadStateDict: group 0 was saved with 2 parameters, the optimizer has 1",
    ],
  ];
  for (const [run, message] of cases) assertThrows(run, Error, message);
});

Deno.test("a second optimizer of the same parameters shares their array", () => {
  const net = makeNet();
  new optim.SGD(net.parameters());
  const { storage } = net.parameters()[0]!;
  new optim.Adam(net.parameters());
  assertStrictEquals(net.parameters()[0]!.storage, storage);
});

Deno.test("a compiled function follows parameters that an optimizer moves", async () => {
  const layer = new nn.Linear(2, 1, { bias: false });
  const f = compile((x: Tensor) => layer.forward(x));
  noGrad(() => layer.weight.fill_(1));
  assertEquals(await f(ones([1, 2])).item(), 2);
  new optim.SGD(layer.parameters());
  noGrad(() => layer.weight.fill_(3));
  assertEquals(await f(ones([1, 2])).item(), 6);
});

Deno.test("a small network learns XOR", async () => {
  manualSeed(3);
  const net = new nn.Sequential(new nn.Linear(2, 16), F.tanh, new nn.Linear(16, 1));
  const optimizer = new optim.AdamW(net.parameters(), { lr: 0.02 });
  const x = tensor([[0, 0], [0, 1], [1, 0], [1, 1]]), y = tensor([[0], [1], [1], [0]]);
  const step = compile((a: Tensor, b: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.mseLoss(net.forward(a), b);
    loss.backward();
    optim.clipGradNorm(net.parameters(), 1);
    optimizer.step();
    return loss;
  });
  let loss = step(x, y);
  for (let i = 0; i < 300; i++) loss = step(x, y);
  assert(await loss.item() < 0.01);
  assertEquals(step.planCount, 1);
});

Deno.test("hooks run around a step", () => {
  const w = tensor([1], { requiresGrad: true });
  const optimizer = new optim.SGD([w]);
  const calls: string[] = [];
  const remove = optimizer.registerStepPreHook(() => calls.push("before"));
  optimizer.registerStepPostHook(() => calls.push("after"));
  optimizer.step();
  remove();
  optimizer.step();
  assertEquals(calls, ["before", "after", "after"]);
});
