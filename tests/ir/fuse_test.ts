import { assert, assertEquals } from "@std/assert";
import { optimize } from "../../ops/ir/fuse.ts";
import {
  add,
  and,
  call,
  cast,
  constant,
  div,
  type Expr,
  int,
  le,
  load,
  lt,
  mul,
  ravel,
  select,
  sub,
} from "../../ops/ir/expr.ts";
import type { Graph, Value } from "../../ops/ir/graph.ts";
import { verifyGraph } from "../../ops/ir/verify.ts";
import { GraphBuilder } from "./graphs.ts";

function number(x: number): Expr {
  return constant(x, "float32");
}
function relu(x: Expr): Expr {
  return call("max", [x, number(0)]);
}
function exp(x: Expr): Expr {
  return call("exp", [x]);
}

/** Kind and name of each kernel after optimization. */
function kernels(graph: Graph): string[] {
  const fused = optimize(graph);
  verifyGraph(fused);
  return fused.nodes.map((n) => `${n.kind === "kernel" ? n.kernel.kind : n.kind} ${n.label}`);
}

Deno.test("optimize() runs equal kernels on equal inputs once", () => {
  const b = new GraphBuilder();
  const x = b.input([8, 512]);
  const [p, q] = [0, 1].map(() => b.reduce("sum", "sum", b.zip("exp", [x], exp), [1]));
  const y = b.zip("sub", [p!, q!], sub);
  assertEquals(kernels(b.finish([y])), ["reduce exp+sum+sub"]);
});

Deno.test("optimize() leaves out what no result or update needs", () => {
  const b = new GraphBuilder();
  const x = b.input([8]), s = b.state([8]);
  b.zip("unused", [x], exp);
  const y = b.zip("relu", [x], relu);
  b.update(s, b.zip("update", [s], (v) => mul(v, number(0.5))));
  assertEquals(kernels(b.finish([y])), ["map relu+update"]);
});

Deno.test("optimize() computes single-use maps where they are read", () => {
  const b = new GraphBuilder();
  const x = b.input([64, 64]);
  const y = b.zip("exp", [b.zip("half", [x], (v) => mul(v, number(0.5)))], exp);
  assertEquals(kernels(b.finish([b.reduce("sum", "sum", y, [1])])), ["reduce half+exp+sum"]);
});

Deno.test("optimize() makes views disappear into readers, guards included", () => {
  const b = new GraphBuilder();
  const x = b.input([4, 6]);
  const padded = b.map("pad", [6, 6], [x], ([i, j]) => {
    const at = sub(i!, int(1));
    return load(
      0,
      "float32",
      ravel([at, j!], [4, 6]),
      and(le(int(0), at), lt(at, int(4))),
    );
  });
  const y = b.reduce("max", "max", b.permute(b.reshape(padded, [3, 2, 6]), [1, 0, 2]), [1]);
  const fused = optimize(b.finish([y]));
  assertEquals(fused.nodes.length, 1);
  const [node] = fused.nodes;
  assert(node?.kind === "kernel" && node.kernel.kind === "reduce");
  assertEquals(node.kernel.inputs.length, 1);
});

Deno.test("optimize() does not compute an expensive map in every product of a contraction", () => {
  const b = new GraphBuilder();
  const x = b.input([64, 64]), w = b.state([64, 64]);
  const y = b.matmul(b.zip("gelu", [x], exp), b.permute(w, [1, 0]));
  assertEquals(kernels(b.finish([y])), ["map gelu", "contract matmul"]);
});

Deno.test("optimize() does not compute an expensive map many times in a reduction", () => {
  const b = new GraphBuilder();
  const x = b.input([512]);
  const wide = b.map("expand", [4096, 512], [b.zip("exp", [x], exp)], ([, j], at) => at(0, [j!]));
  const y = b.input([4096, 512]);
  const z = b.reduce("sum", "sum", b.zip("mul", [wide, y], mul), [1]);
  assertEquals(kernels(b.finish([z])), ["map exp", "reduce mul+sum"]);
});

Deno.test("optimize() moves what follows a contraction into its epilogue", () => {
  const b = new GraphBuilder();
  const x = b.input([16, 32]), w = b.state([32, 24]), bias = b.state([24]);
  const residual = b.input([16, 24]);
  let y = b.zip("bias", [b.matmul(x, w), bias], add);
  y = b.zip("relu", [y], relu);
  y = b.zip("residual", [y, residual], add);
  assertEquals(kernels(b.finish([y])), ["contract matmul+bias+relu+residual"]);
});

Deno.test("optimize() keeps two outputs of a contraction only where both are needed", () => {
  const b = new GraphBuilder();
  const x = b.input([16, 32]), w = b.state([32, 24]);
  const y = b.matmul(x, w);
  const z = b.zip("exp", [y], exp);
  const fused = optimize(b.finish([z, b.matmul(b.permute(y, [1, 0]), z)]));
  const [first] = fused.nodes;
  assert(first?.kind === "kernel");
  assertEquals([first.label, first.outputs.length], ["matmul+exp", 2]);
});

Deno.test("optimize() writes the epilogue of a permuted reader in the permuted place", () => {
  const b = new GraphBuilder();
  const x = b.input([16, 32]), w = b.state([32, 24]);
  const y = b.permute(b.reshape(b.matmul(x, w), [16, 4, 6]), [1, 0, 2]);
  assertEquals(kernels(b.finish([b.zip("relu", [y], relu)])), ["contract matmul+relu"]);
});

Deno.test("optimize() keeps the plain operands of a convolution", () => {
  for (const shift of [0, 1]) {
    const b = new GraphBuilder();
    const x = b.input([2, 3, 8]), w = b.state([4, 3]);
    // A 1 × 1 convolution over one spatial axis.
    const rows = b.map(
      "rows",
      [2, 3, 8],
      [x],
      ([n, c, i], at) => shift ? call("neg", [at(0, [n!, c!, i!])]) : at(0, [n!, c!, i!]),
    );
    const y = convolution(b, rows, w);
    const names = kernels(b.finish([y]));
    assertEquals(names, shift ? ["map rows", "contract conv"] : ["contract conv"]);
  }
});

function convolution(b: GraphBuilder, x: Value, w: Value): Value {
  const axes = { m: 4, n: [2, 8], k: 3 };
  const m: Expr = { kind: "axis", dtype: "int32", axis: 0, size: axes.m };
  const n: Expr = { kind: "axis", dtype: "int32", axis: 1, size: 2 };
  const i: Expr = { kind: "axis", dtype: "int32", axis: 2, size: 8 };
  const k: Expr = { kind: "axis", dtype: "int32", axis: 3, size: 3 };
  return b.kernel(
    {
      kind: "contract",
      batch: [],
      m: [4],
      n: axes.n,
      k: [axes.k],
      inputs: [{ dtype: "float32" }, { dtype: "float32" }],
      a: load(1, "float32", ravel([m, k], [4, 3])),
      b: load(0, "float32", ravel([n, k, i], [2, 3, 8])),
      dtype: "float32",
      outputs: [{
        dtype: "float32",
        value: { kind: "acc", dtype: "float32", slot: 0 },
        index: ravel([n, m, i], [2, 4, 8]),
      }],
      convolution: {
        role: "forward",
        batch: 2,
        inChannels: 3,
        outChannels: 4,
        groups: 1,
        input: [8],
        kernel: [1],
        output: [8],
        stride: [1],
        padding: [0],
        dilation: [1],
        x: 0,
        w: 1,
        dy: undefined,
        xOffset: 0,
        wOffset: 0,
        dyOffset: 0,
        xImage: 24,
        dyImage: 0,
      },
    },
    [x, w],
    [[2, 4, 8]],
    "conv",
  )[0]!;
}

Deno.test("optimize() follows a convolution's array into a part of another array", () => {
  const b = new GraphBuilder();
  const x = b.input([2, 3, 8]), arena = b.state([100]);
  const w = b.map(
    "part",
    [4, 3],
    [arena],
    ([i, j], at) => at(0, [add(ravel([i!, j!], [4, 3]), int(40))]),
  );
  const fused = optimize(b.finish([convolution(b, x, w)]));
  const [node] = fused.nodes;
  assert(node?.kind === "kernel" && node.kernel.kind === "contract");
  const geometry = node.kernel.convolution!;
  assertEquals(node.inputs[geometry.w!], arena);
  assertEquals([geometry.wOffset, geometry.xOffset], [40, 0]);
});

Deno.test("optimize() lets a sequence read a part of an array in place", () => {
  const b = new GraphBuilder();
  const arena = b.state([100]);
  const part = b.map(
    "part",
    [4, 6],
    [arena],
    ([i, j], at) => at(0, [add(ravel([i!, j!], [4, 6]), int(40))]),
  );
  const fused = optimize(b.finish([b.recurrence("rnn", part, (h, x) => sub(x, h))]));
  const [node] = fused.nodes;
  assert(node?.kind === "sequence");
  assertEquals(node.inputs, [arena]);
  const places = node.blocks[1]!.steps[0]!.arguments;
  assertEquals(places[1], { array: 0, offset: 40, stride: 6 });
});

Deno.test("optimize() copies neighbouring parts of an array in one kernel", () => {
  const b = new GraphBuilder();
  const x = b.input([64, 192]);
  const parts = [0, 1, 2].map((k) =>
    b.map("part", [64, 64], [x], ([i, j], at) => at(0, [i!, add(j!, int(64 * k))]))
  );
  const fused = optimize(b.finish(parts));
  assertEquals(fused.nodes.map((n) => n.outputs.length), [3]);
});

Deno.test("optimize() makes a softmax one kernel", () => {
  const b = new GraphBuilder();
  const x = b.input([32, 100]);
  const top = b.reshape(b.reduce("max", "max", x, [1]), [32, 1]);
  const e = b.zip("exp", [x, top], (p, q) => exp(sub(p, q)));
  const y = b.zip("div", [e, b.reshape(b.reduce("sum", "sum", e, [1]), [32, 1])], div);
  assertEquals(kernels(b.finish([y])), ["reduce max+exp+sum+div"]);
});

Deno.test("optimize() makes a layer normalization one kernel, and its gradient another", () => {
  const b = new GraphBuilder();
  const x = b.input([128, 256]), dy = b.input([128, 256]);
  const scale = b.state([256]);
  const row = (v: Value) => b.reshape(v, [128, 1]);
  const mean = row(b.zip("mean", [b.reduce("sum", "sum", x, [1])], (v) => mul(v, number(1 / 256))));
  const centred = b.zip("centred", [x, mean], sub);
  const square = b.zip("square", [centred], (v) => mul(v, v));
  const deviation = b.zip(
    "deviation",
    [b.reduce("sum", "sum", square, [1])],
    (v) => call("sqrt", [add(mul(v, number(1 / 256)), number(1e-5))]),
  );
  const hat = b.zip("hat", [centred, row(deviation)], div);
  const y = b.zip("scale", [hat, scale], mul);
  const dhat = b.zip("dhat", [dy, scale], mul);
  const inner = row(b.reduce("inner", "sum", b.zip("mul", [dhat, hat], mul), [1]));
  const total = row(b.reduce("total", "sum", dhat, [1]));
  const dx = b.zip(
    "dx",
    [dhat, hat, inner, total, row(deviation)],
    (d, h, i, t, s) => div(sub(d, mul(add(mul(h, i), t), number(1 / 256))), s),
  );
  const fused = kernels(b.finish([y, dx]));
  assert(fused.length <= 2 && fused.every((k) => k.startsWith("reduce")), fused.join("\n"));
});

Deno.test("optimize() leaves rows apart that are too long for one workgroup", () => {
  const b = new GraphBuilder();
  const x = b.input([4, 100_000]);
  const top = b.reshape(b.reduce("max", "max", x, [1]), [4, 1]);
  const y = b.zip("sub", [x, top], sub);
  assertEquals(kernels(b.finish([y])), ["reduce max", "map sub"]);
});

Deno.test("optimize() updates all of Adam's state in one kernel", () => {
  const b = new GraphBuilder();
  const size = 100_000;
  const [p, m, v] = ["p", "m", "v"].map((name) => b.state([size], name)) as [Value, Value, Value];
  const g = b.input([size], "g"), lr = b.input([], "lr");
  const first = b.zip("m", [m, g], (x, d) => add(mul(x, number(0.9)), mul(d, number(0.1))));
  const square = b.zip("square", [g], (d) => mul(d, d));
  const second = b.zip("v", [v, square], (x, d) => add(mul(x, number(0.99)), mul(d, number(0.01))));
  const root = b.zip("root", [second], (x) => add(call("sqrt", [x]), number(1e-8)));
  const step = b.zip("step", [b.zip("div", [first, root], div), lr], mul);
  b.update(p, b.zip("p", [p, step], sub));
  b.update(m, first);
  b.update(v, second);
  const fused = optimize(b.finish([]));
  assertEquals(fused.nodes.length, 1);
  assertEquals(fused.nodes[0]!.outputs.length, 3);
});

Deno.test("optimize() merges reductions over the same elements", () => {
  const b = new GraphBuilder();
  const x = b.input([512, 64]);
  const low = b.reduce("low", "min", x, [0]), high = b.reduce("high", "max", x, [0]);
  assertEquals(kernels(b.finish([low, high])), ["reduce low+high"]);
});

Deno.test("optimize() does not merge kernels with another in between", () => {
  const b = new GraphBuilder();
  const x = b.input([64, 64]);
  const y = b.zip("exp", [x], exp);
  const z = b.matmul(y, y);
  const fused = kernels(b.finish([y, b.zip("add", [x, z], add)]));
  assertEquals(fused, ["map exp", "contract matmul+add"]);
});

Deno.test("optimize() computes masks and random bits again instead of storing them", () => {
  const b = new GraphBuilder();
  const x = b.input([64, 64]), dy = b.input([64, 64]), key = b.input([2], "key", "uint32");
  const mask = b.map("mask", [64, 64], [key], ([i, j], at) => {
    const index = cast(ravel([i!, j!], [64, 64]), "uint32");
    const zero = constant(0, "uint32");
    const bits = call("philox", [index, zero, at(0, [int(0)]), at(0, [int(1)]), zero]);
    return lt(bits, constant(1 << 30, "uint32"));
  });
  const keep = (v: Value) => b.zip("keep", [mask, v], (c, y) => select(c, y, number(0)));
  const y = b.matmul(keep(x), x), z = b.matmul(y, keep(dy));
  const fused = optimize(b.finish([z]));
  assert(fused.nodes.every((n) => n.label !== "mask"), fused.nodes.map((n) => n.label).join());
});

Deno.test("optimize() reads a stored activation instead of a mask of it", () => {
  const b = new GraphBuilder();
  const x = b.input([64, 64]), w = b.state([64, 64]), dy = b.input([64, 64]);
  const y = b.zip("relu", [b.matmul(x, w)], relu);
  const z = b.matmul(y, w);
  const mask = b.zip("mask", [y], (v) => lt(number(0), v));
  const dz = b.zip("where", [mask, b.matmul(dy, w)], (c, v) => select(c, v, number(0)));
  const fused = optimize(b.finish([z, dz]));
  assertEquals(fused.nodes.map((n) => n.outputs.length), [1, 1, 1]);
  assert(fused.nodes.flatMap((n) => n.outputs).every((v) => v.dtype === "float32"));
});

Deno.test("optimize() says what it decided and why", () => {
  const b = new GraphBuilder();
  const x = b.input([16, 32]), w = b.state([32, 24]);
  const y = b.zip("relu", [b.matmul(x, w)], relu);
  const log: string[] = [];
  optimize(b.finish([y]), { log: (rule, text) => log.push(`${rule}: ${text}`) });
  assertEquals(log, ["epilogue: relu joins matmul"]);
});
