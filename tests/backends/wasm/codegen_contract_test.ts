import { assertEquals } from "@std/assert";
import {
  acc,
  add,
  and,
  axesOf,
  axis,
  call,
  constant,
  type Expr,
  idiv,
  int,
  le,
  load,
  lt,
  mul,
  ravel,
  strided,
  sub,
} from "../../../ops/ir/expr.ts";
import {
  type ContractKernel,
  type ConvolutionGeometry,
  type KernelOutput,
  sizeOf,
} from "../../../ops/ir/kernel.ts";
import { Random } from "../../ir/helpers.ts";
import { compare, out, wasm } from "./codegen_helpers.ts";

const random = new Random(3);
const F32 = { dtype: "float32" } as const;
const SUM = acc(0, "float32");
const ZERO = constant(0, "float32");

function normal(count: number): number[] {
  return Array.from({ length: count }, () => Math.fround(random.uniform() * 2 - 1));
}

function relu(x: Expr): Expr {
  return call("max", [x, ZERO]);
}

const LOOSE = { absolute: 2e-4, relative: 2e-5 };

/** `[m, k] · [k, n]` with outputs made from the sum and the coordinates. */
function linear(
  [m, n, k]: readonly [number, number, number],
  outputs: (i: Expr, j: Expr) => KernelOutput[],
  extra: number,
  a?: (i: Expr, kk: Expr) => Expr,
): ContractKernel {
  const [i, j, kk] = [axis(0, m), axis(1, n), axis(2, k)];
  return {
    kind: "contract",
    batch: [],
    m: [m],
    n: [n],
    k: [k],
    inputs: [F32, F32, ...Array.from({ length: extra }, () => F32)],
    a: a?.(i, kk) ?? load(0, "float32", strided([i, kk], [k, 1])),
    b: load(1, "float32", strided([j, kk], [k, 1])),
    dtype: "float32",
    outputs: outputs(i, j),
    convolution: undefined,
  };
}

Deno.test("contract kernels add biases, apply ReLU, and any other expression", () => {
  for (const [m, n, k] of [[5, 7, 33], [64, 65, 63], [100, 48, 300], [3, 200, 64]] as const) {
    const cases: [(i: Expr, j: Expr) => KernelOutput[], number[]][] = [
      [(i, j) => [out(add(SUM, load(2, "float32", j)), strided([i, j], [n, 1]))], [n]],
      [(i, j) => [out(relu(add(load(2, "float32", i), SUM)), strided([i, j], [n, 1]))], [m]],
      [(i, j) => [out(relu(SUM), strided([i, j], [1, m]))], []],
      [(i, j) => [
        out(
          add(
            mul(call("tanh", [SUM]), load(2, "float32", j)),
            load(3, "float32", strided([i, j], [n, 1])),
          ),
          strided([i, j], [n, 1]),
        ),
        out(lt(ZERO, SUM), strided([i, j], [1, m])),
      ], [n, m * n]],
      [
        (i, j) => [out(mul(SUM, constant(0.5, "float32")), mul(strided([i, j], [n, 1]), int(2)))],
        [],
      ],
    ];
    for (const [outputs, sizes] of cases) {
      const kernel = linear([m, n, k], outputs, sizes.length);
      const scale = kernel.outputs.map((_, o) => o === 0 && outputs === cases[4]![0] ? 2 : 1);
      compare(
        kernel,
        [normal(m * k), normal(n * k), ...sizes.map(normal)],
        scale.map((s) => s * m * n),
        LOOSE,
      );
    }
  }
});

Deno.test("contract kernels compute operands while they pack them", () => {
  for (const [m, n, k] of [[16, 24, 40], [33, 50, 300]] as const) {
    const kernel = linear(
      [m, n, k],
      (i, j) => [out(SUM, strided([i, j], [n, 1]))],
      1,
      (i, kk) =>
        mul(
          load(0, "float32", strided([i, kk], [k, 1])),
          relu(load(2, "float32", strided([kk, i], [m, 1]))),
        ),
    );
    compare(kernel, [normal(m * k), normal(n * k), normal(m * k)], [m * n], LOOSE);
  }
});

Deno.test("contract kernels multiply batches of heads and put them side by side", () => {
  const [b, h, t, d] = [3, 4, 20, 8];
  const axes = axesOf([b, h, t, d, t]) as [Expr, Expr, Expr, Expr, Expr];
  const [bb, hh, ii, dd, kk] = axes;
  const kernel: ContractKernel = {
    kind: "contract",
    batch: [b, h],
    m: [t],
    n: [d],
    k: [t],
    inputs: [F32, F32],
    a: load(0, "float32", strided([bb, hh, ii, kk], [h * t * t, t * t, t, 1])),
    b: load(1, "float32", strided([bb, hh, kk, dd], [t * h * d, d, h * d, 1])),
    dtype: "float32",
    outputs: [out(SUM, strided([bb, hh, ii, dd], [t * h * d, d, h * d, 1]))],
    convolution: undefined,
  };
  compare(kernel, [normal(b * h * t * t), normal(b * t * h * d)], [b * t * h * d], LOOSE);
});

Deno.test("contract kernels add to an array that the result replaces", () => {
  const [m, n, k] = [40, 48, 30];
  const at = strided([axis(0, m), axis(1, n)], [n, 1]);
  const kernel = linear([m, n, k], () => [out(add(SUM, load(2, "float32", at)), at)], 1);
  const values = [normal(m * k), normal(n * k), normal(m * n)];
  const [expected] = compare(kernel, values, [m * n], LOOSE) as [number[]];
  const buffers = values.map((list) => {
    const buffer = wasm.allocate(4 * list.length);
    wasm.write(buffer, 0, Float32Array.from(list));
    return { buffer, offset: 0 };
  });
  const plan = wasm.prepare([{ kernel, bindings: [...buffers, buffers[2]!] }]);
  plan.run();
  const bytes = wasm.readSync(buffers[2]!.buffer, 0, 4 * m * n)!;
  assertEquals([...new Float32Array(bytes.buffer)], expected);
  plan.dispose();
});

interface Case {
  readonly n: number;
  readonly cin: number;
  readonly cout: number;
  readonly groups?: number;
  readonly size: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly stride?: number;
  readonly padding?: number;
  readonly dilation?: number;
  /** Channels between images of x and of dy. */
  readonly gap?: number;
}

function geometryOf(c: Case, role: ConvolutionGeometry["role"]): ConvolutionGeometry {
  const { stride = 1, padding = 0, dilation = 1, groups = 1, gap = 0 } = c;
  const output = c.size.map((s, d) =>
    Math.floor((s + 2 * padding - dilation * (c.kernel[d]! - 1) - 1) / stride) + 1
  );
  const [x, w, dy] = role === "forward"
    ? [0, 1, undefined]
    : role === "input"
    ? [undefined, 1, 0]
    : [0, undefined, 1];
  return {
    role,
    batch: c.n,
    inChannels: c.cin,
    outChannels: c.cout,
    groups,
    input: c.size,
    kernel: c.kernel,
    output,
    stride: [stride, stride],
    padding: [padding, padding],
    dilation: [dilation, dilation],
    x,
    w,
    dy,
    xOffset: 0,
    wOffset: 0,
    dyOffset: 0,
    xImage: (c.cin + gap) * sizeOf(c.size),
    dyImage: (c.cout + gap) * sizeOf(output),
  };
}

/** Index of a pixel in an array whose images are `image` elements apart. */
function placeOf(at: readonly Expr[], [image, h, w]: readonly number[]): Expr {
  return strided(at, [image!, h! * w!, w!, 1]);
}

function every(conditions: readonly Expr[]): Expr {
  return conditions.reduce((a, b) => and(a, b)!);
}

function forward(c: Case, plain: boolean): ContractKernel {
  const g = geometryOf(c, "forward");
  const [ci, co] = [c.cin / g.groups, c.cout / g.groups];
  const [gr, o, n, y, x, i, ky, kx] = axesOf([g.groups, co, c.n, ...g.output, ci, ...c.kernel]) as [
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
  ];
  const at = [[y, ky], [x, kx]].map(([p, q], d) =>
    sub(add(mul(p!, int(g.stride[d]!)), mul(q!, int(g.dilation[d]!))), int(g.padding[d]!))
  );
  const guard = every(at.flatMap((p, d) => [le(int(0), p), lt(p, int(c.size[d]!))]));
  const channel = add(mul(gr, int(ci)), i), filter = add(mul(gr, int(co)), o);
  const sum = plain ? SUM : relu(add(SUM, load(2, "float32", filter)));
  return {
    kind: "contract",
    batch: [g.groups],
    m: [co],
    n: [c.n, ...g.output],
    k: [ci, ...c.kernel],
    inputs: plain ? [F32, F32] : [F32, F32, F32],
    a: load(1, "float32", ravel([filter, i, ky, kx], [c.cout, ci, ...c.kernel])),
    b: load(0, "float32", placeOf([n, channel, ...at], [g.xImage, ...c.size]), guard),
    dtype: "float32",
    outputs: [out(sum, ravel([n, filter, y, x], [c.n, c.cout, ...g.output]))],
    convolution: g,
  };
}

function inputGradient(c: Case): ContractKernel {
  const g = geometryOf(c, "input");
  const [ci, co] = [c.cin / g.groups, c.cout / g.groups];
  const [gr, i, n, y, x, o, ky, kx] = axesOf([g.groups, ci, c.n, ...c.size, co, ...c.kernel]) as [
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
  ];
  const conditions: Expr[] = [];
  const at = [[y, ky], [x, kx]].map(([p, q], d) => {
    const s = sub(add(p!, int(g.padding[d]!)), mul(q!, int(g.dilation[d]!)));
    conditions.push(le(int(0), s), lt(s, int(g.output[d]! * g.stride[d]!)));
    conditions.push(call("eq", [call("imod", [s, int(g.stride[d]!)]), int(0)]));
    return idiv(s, g.stride[d]!);
  });
  const channel = add(mul(gr, int(ci)), i), filter = add(mul(gr, int(co)), o);
  return {
    kind: "contract",
    batch: [g.groups],
    m: [ci],
    n: [c.n, ...c.size],
    k: [co, ...c.kernel],
    inputs: [F32, F32],
    a: load(1, "float32", ravel([filter, i, ky, kx], [c.cout, ci, ...c.kernel])),
    b: load(0, "float32", placeOf([n, filter, ...at], [g.dyImage, ...g.output]), every(conditions)),
    dtype: "float32",
    outputs: [out(SUM, ravel([n, channel, y, x], [c.n, c.cin, ...c.size]))],
    convolution: g,
  };
}

function weightGradient(c: Case): ContractKernel {
  const g = geometryOf(c, "weight");
  const [ci, co] = [c.cin / g.groups, c.cout / g.groups];
  const [gr, o, i, ky, kx, n, y, x] = axesOf([g.groups, co, ci, ...c.kernel, c.n, ...g.output]) as [
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
  ];
  const at = [[y, ky], [x, kx]].map(([p, q], d) =>
    sub(add(mul(p!, int(g.stride[d]!)), mul(q!, int(g.dilation[d]!))), int(g.padding[d]!))
  );
  const guard = every(at.flatMap((p, d) => [le(int(0), p), lt(p, int(c.size[d]!))]));
  const channel = add(mul(gr, int(ci)), i), filter = add(mul(gr, int(co)), o);
  return {
    kind: "contract",
    batch: [g.groups],
    m: [co],
    n: [ci, ...c.kernel],
    k: [c.n, ...g.output],
    inputs: [F32, F32],
    a: load(1, "float32", placeOf([n, filter, y, x], [g.dyImage, ...g.output])),
    b: load(0, "float32", placeOf([n, channel, ...at], [g.xImage, ...c.size]), guard),
    dtype: "float32",
    outputs: [out(SUM, ravel([filter, i, ky, kx], [c.cout, ci, ...c.kernel]))],
    convolution: g,
  };
}

const CASES: readonly Case[] = [
  { n: 2, cin: 3, cout: 8, size: [9, 11], kernel: [3, 3], padding: 1 },
  { n: 2, cin: 8, cout: 16, size: [12, 10], kernel: [3, 3], padding: 1 },
  { n: 3, cin: 16, cout: 8, size: [9, 9], kernel: [3, 3] },
  { n: 2, cin: 6, cout: 8, size: [13, 12], kernel: [5, 5], stride: 2, padding: 2 },
  { n: 2, cin: 6, cout: 8, size: [12, 9], kernel: [3, 3], stride: 2, padding: 1 },
  { n: 2, cin: 6, cout: 8, size: [9, 10], kernel: [1, 1], stride: 3 },
  { n: 2, cin: 4, cout: 8, size: [14, 13], kernel: [3, 2], stride: 2, padding: 2, dilation: 2 },
  { n: 2, cin: 3, cout: 9, size: [12, 61], kernel: [3, 3], stride: 2, padding: 1, gap: 2 },
  { n: 2, cin: 3, cout: 9, size: [8, 29], kernel: [5, 5], padding: 2, gap: 1 },
  { n: 2, cin: 16, cout: 1, size: [9, 12], kernel: [3, 3], padding: 1 },
  { n: 2, cin: 1, cout: 16, size: [12, 9], kernel: [3, 3], padding: 1 },
  { n: 3, cin: 8, cout: 12, size: [9, 10], kernel: [3, 3], padding: 1, gap: 5 },
  { n: 2, cin: 8, cout: 12, size: [7, 7], kernel: [1, 1] },
  { n: 1, cin: 8, cout: 8, groups: 8, size: [10, 10], kernel: [3, 3], padding: 1 },
  { n: 2, cin: 8, cout: 12, groups: 2, size: [10, 9], kernel: [3, 3], padding: 2, dilation: 2 },
];

for (const c of CASES) {
  const name = JSON.stringify(c).replaceAll('"', "");
  const g = geometryOf(c, "forward");
  const w = c.cout * (c.cin / g.groups) * c.kernel[0] * c.kernel[1];
  const dx = c.n * c.cin * c.size[0] * c.size[1];
  const y = c.n * c.cout * g.output[0]! * g.output[1]!;
  const [x, dy] = [c.n * g.xImage, c.n * g.dyImage];
  Deno.test(`contract kernels convolve ${name}`, () => {
    compare(forward(c, true), [normal(x), normal(w)], [y], LOOSE);
    compare(forward(c, false), [normal(x), normal(w), normal(c.cout)], [y], LOOSE);
    compare(inputGradient(c), [normal(dy), normal(w)], [dx], LOOSE);
    compare(weightGradient(c), [normal(x), normal(dy)], [w], LOOSE);
  });
}
