import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { compile, F, nn, noGrad, ones, ShapeError, type Tensor, tensor, zeros } from "../../mod.ts";

class Net extends nn.Module {
  fc = new nn.Linear(2, 3);
  inner = new nn.Sequential(new nn.Linear(3, 3), F.relu, new nn.Linear(3, 1, { bias: false }));
  blocks = [new nn.Linear(1, 1), new nn.Linear(1, 1)];
  scale = new nn.Parameter(ones([1]));
  runningTotal: Tensor = this.registerBuffer("runningTotal", zeros([1]));
  cache: Tensor = this.registerBuffer("cache", zeros([1]), { persistent: false });

  forward(x: Tensor): Tensor {
    return this.inner.forward(this.fc.forward(x)).mul(this.scale);
  }
}

const KEYS = [
  "scale",
  "running_total",
  "fc.weight",
  "fc.bias",
  "inner.0.weight",
  "inner.0.bias",
  "inner.2.weight",
  "blocks.0.weight",
  "blocks.0.bias",
  "blocks.1.weight",
  "blocks.1.bias",
];

Deno.test("Module.stateDict() has PyTorch's keys in its order", () => {
  assertEquals(Object.keys(new Net().stateDict()), KEYS);
});

Deno.test("Module finds parameters, buffers and children by reflection", () => {
  const net = new Net();
  assertEquals(net.namedParameters().map(([name]) => name), KEYS.filter((k) => k !== KEYS[1]));
  assertEquals(net.namedBuffers().map(([name]) => name), ["running_total", "cache"]);
  assertEquals(net.namedChildren().map(([name]) => name), ["fc", "inner", "blocks.0", "blocks.1"]);
  assertStrictEquals(net.getSubmodule("inner.0"), net.inner.at(0));
});

Deno.test("Module lists a shared parameter once and saves it under each key", () => {
  class Tied extends nn.Module {
    wte = new nn.Embedding(5, 2);
    head = new nn.Linear(2, 5, { bias: false });

    constructor() {
      super();
      this.head.weight = this.wte.weight;
    }

    forward(x: Tensor): Tensor {
      return this.head.forward(this.wte.forward(x));
    }
  }
  const tied = new Tied();
  assertEquals(tied.parameters().length, 1);
  assertEquals(Object.keys(tied.stateDict()), ["wte.weight", "head.weight"]);
});

Deno.test("Module.loadStateDict() copies values and keeps handles", async () => {
  const from = new Net(), to = new Net();
  const { weight } = to.fc;
  const report = to.loadStateDict(new Map(Object.entries(from.stateDict())));
  assertEquals(report, { missing: [], unexpected: [] });
  assertStrictEquals(to.fc.weight, weight);
  assertEquals(await weight.data(), await from.fc.weight.data());
});

Deno.test("Module.loadStateDict() throws for keys that differ", () => {
  const { "fc.bias": bias, ...rest } = new Net().stateDict();
  assertThrows(
    () => new Net().loadStateDict({ ...rest, "head.bias": bias! }),
    Error,
    'loadStateDict: missing "fc.bias", unexpected "head.bias" (use { strict: false } to skip)',
  );
  const loose = new Net().loadStateDict(rest, { strict: false });
  assertEquals(loose, { missing: ["fc.bias"], unexpected: [] });
});

Deno.test("Module.loadStateDict() throws for another shape before it writes", async () => {
  const net = new Net();
  const before = await net.scale.data();
  const state = { ...net.stateDict(), scale: zeros([1]), "fc.weight": zeros([3, 4]) };
  assertThrows(
    () => net.loadStateDict(state),
    ShapeError,
    'loadStateDict: "fc.weight" has another shape: module [3, 2], given [3, 4]',
  );
  assertEquals(await net.scale.data(), before);
});

Deno.test("Module.train() and eval() set the mode of all modules", () => {
  const net = new Net().eval();
  assert(net.modules().every((module) => !module.training));
  net.train();
  assert(net.modules().every((module) => module.training));
});

Deno.test("Module.training makes a compiled function trace anew", async () => {
  const drop = new nn.Dropout(0.5);
  const f = compile((x: Tensor) => drop.forward(x));
  const x = ones([1000]);
  assert(Math.abs(await f(x).mean().item() - 1) < 0.2);
  drop.eval();
  assertEquals(await f(x).sum().item(), 1000);
  drop.train();
  assert((await f(x).data()).includes(0));
  assertEquals(f.planCount, 2);
});

Deno.test("Module.to() converts in place and keeps handles", () => {
  const net = new Net();
  const { weight } = net.fc;
  net.to("float64");
  assertStrictEquals(net.fc.weight, weight);
  assertEquals([weight.dtype, net.runningTotal.dtype], ["float64", "float64"]);
  assert(weight.requiresGrad);
});

Deno.test("Module.toDevice() moves in place and keeps handles", async () => {
  const layer = new nn.Linear(2, 2);
  const { weight } = layer;
  const values = await weight.data();
  await layer.toDevice("reference");
  assertStrictEquals(layer.weight, weight);
  assertEquals([weight.device, await weight.data()], ["reference", values]);
});

Deno.test("Module.apply() visits children first, in their order", () => {
  const order: string[] = [];
  const inner = new nn.Sequential(new nn.ReLU(), new nn.Tanh());
  const net = new nn.Sequential(new nn.Linear(1, 1), inner, new nn.Sigmoid());
  net.apply((module) => order.push(module.constructor.name));
  assertEquals(order, ["Linear", "ReLU", "Tanh", "Sequential", "Sigmoid", "Sequential"]);
});

Deno.test("a gradient of another shape is refused", () => {
  const w = zeros([2], { requiresGrad: true });
  assertThrows(
    () => w.grad = zeros([3]),
    ShapeError,
    "grad: the gradient has another shape: tensor [2], gradient [3]",
  );
});

Deno.test("Module.requiresGrad_() freezes parameters", () => {
  const net = new Net().requiresGrad_(false);
  assert(!net.forward(zeros([1, 2])).requiresGrad);
});

Deno.test("Module.toString() shows the tree", () => {
  const net = new nn.Sequential(new nn.Linear(2, 3), new nn.Sequential(new nn.Dropout(0.1)));
  assertEquals(
    String(net),
    "Sequential(\n  (0): Linear(2, 3)\n  (1): Sequential(\n    (0): Dropout(0.1)\n  )\n)",
  );
});

Deno.test("Sequential takes arrays and records", () => {
  const list = new nn.Sequential([new nn.Linear(1, 2), F.relu]);
  const named = new nn.Sequential({ first: new nn.Linear(1, 2), act: F.relu });
  assertEquals(Object.keys(list.stateDict()), ["0.weight", "0.bias"]);
  assertEquals(Object.keys(named.stateDict()), ["first.weight", "first.bias"]);
  assertThrows(() => list.at(5), RangeError, "Sequential: there is no module 5 among 2");
});

Deno.test("ModuleList and ModuleDict hold modules and compute nothing", () => {
  const list = new nn.ModuleList([new nn.Linear(1, 1)]).append(new nn.Linear(1, 1));
  assertEquals([list.length, [...list].length, list.parameters().length], [2, 2, 4]);
  assertThrows(
    () => list.forward(),
    Error,
    "ModuleList: a list has no forward (loop over its modules)",
  );
  const dict = new nn.ModuleDict({ a: new nn.Identity() });
  assertThrows(() => dict.get("b"), RangeError, 'ModuleDict: there is no module "b" among a');
});

Deno.test("summary() counts parameters, shows shapes and changes nothing", async () => {
  const model = new nn.Sequential(
    new nn.Conv2d(3, 4, 3, { padding: 1 }),
    new nn.BatchNorm2d(4),
    new nn.Flatten(),
    new nn.Linear(16, 2),
  );
  const table = nn.summary(model, [1, 3, 2, 2]);
  assertEquals(table.parameters, 112 + 8 + 34);
  assertEquals(table.rows.map((row) => row.output), [
    "[1, 2]",
    "[1, 4, 2, 2]",
    "[1, 4, 2, 2]",
    "[1, 16]",
    "[1, 2]",
  ]);
  assert(model.training);
  const norm = model.at(1) as nn.BatchNorm2d;
  assertEquals(await norm.numBatchesTracked!.item(), 0);
  assert(String(table).includes("parameters: 154, trained: 154"));
});

Deno.test("Module.registerForwardHook() sees and replaces results", async () => {
  const layer = new nn.Identity();
  const remove = layer.registerForwardHook((_, y) => (y as Tensor).mul(2));
  assertEquals(await layer.forward(tensor(3)).item(), 6);
  remove();
  assertEquals(await layer.forward(tensor(3)).item(), 3);
});

Deno.test("Parameter keeps its identity through in-place updates", async () => {
  const p = new nn.Parameter(zeros([2]));
  noGrad(() => p.fill_(3));
  assertEquals([...await p.data()], [3, 3]);
  assert(!new nn.Parameter(zeros([1]), { requiresGrad: false }).requiresGrad);
});
