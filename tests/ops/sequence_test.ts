/** Recurrent layers and attention are planned in rounds: right, small, and without T × T arrays. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  compile,
  grad,
  gruSequence,
  lstmSequence,
  manualSeed,
  ones,
  randn,
  repeatInterleave,
  rnnSequence,
  scaledDotProductAttention,
  stack,
  type Tensor,
  tril,
  where,
} from "@tensaurus/core";
import { gradcheck, gradgradcheck } from "../../ops/gradcheck.ts";
import { openTestDevice } from "../device.ts";

const ignore = !await openTestDevice();

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

function parameter(shape: number[]): Tensor {
  return randn(shape).mul(0.5).detach().setRequiresGrad(true);
}

/** Largest difference between results and gradients of two functions of the same parameters. */
async function difference(
  parameters: Tensor[],
  first: () => Tensor,
  second: () => Tensor,
): Promise<number> {
  const run = (f: () => Tensor): Tensor[] => {
    const y = f();
    const weights = randn(y.shape, { device: y.device });
    return [y, ...grad(y.mul(weights).sum(), parameters) as Tensor[]];
  };
  manualSeed(5);
  const a = run(first);
  manualSeed(5);
  const b = run(second);
  let worst = 0;
  for (const [i, x] of a.entries()) {
    worst = Math.max(worst, await x.sub(b[i]!).abs().max().item());
  }
  return worst;
}

function assertSmall(x: number): void {
  assertEquals(x < 2e-5, true, `difference ${x}`);
}

/** Hidden states after each step, and cell states. */
function lstmByHand(
  x: Tensor,
  h: Tensor,
  c: Tensor,
  w: Tensor,
  projection?: Tensor,
): [Tensor, Tensor] {
  const states: Tensor[] = [], cells: Tensor[] = [];
  for (let t = 0; t < x.shape[0]!; t++) {
    const [i, f, g, o] = x.select(0, t).add(h.matmul(w.T)).chunk(4, 1) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    c = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
    const wide = o.sigmoid().mul(c.tanh());
    h = projection ? wide.matmul(projection.T) : wide;
    states.push(h);
    cells.push(c);
  }
  return [stack(states), stack(cells)];
}

function gruByHand(x: Tensor, h: Tensor, w: Tensor, bias: Tensor): Tensor {
  const states: Tensor[] = [];
  for (let t = 0; t < x.shape[0]!; t++) {
    const [xr, xz, xn] = x.select(0, t).chunk(3, 1) as [Tensor, Tensor, Tensor];
    const [hr, hz, hn] = h.matmul(w.T).add(bias).chunk(3, 1) as [Tensor, Tensor, Tensor];
    const r = xr.add(hr).sigmoid(), z = xz.add(hz).sigmoid();
    const n = xn.add(r.mul(hn)).tanh();
    h = n.add(z.mul(h.sub(n)));
    states.push(h);
  }
  return stack(states);
}

test("lstmSequence() is the loop over time steps, values and gradients", async () => {
  manualSeed(1);
  const [x, h, c, w] = [[6, 3, 20], [3, 5], [3, 5], [20, 5]].map(parameter) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  assertSmall(
    await difference(
      [x, h, c, w],
      () => lstmSequence(x, h, c, w)[0].slice(0, 1),
      () => lstmByHand(x, h, c, w)[0],
    ),
  );
});

test("lstmSequence() with a projection is the loop over time steps", async () => {
  manualSeed(6);
  const parameters = [[6, 3, 20], [3, 2], [3, 5], [20, 2], [2, 5]].map(parameter);
  const [x, h, c, w, p] = parameters as [Tensor, Tensor, Tensor, Tensor, Tensor];
  assertSmall(
    await difference(
      parameters,
      () => lstmSequence(x, h, c, w, p)[0].slice(0, 1),
      () => lstmByHand(x, h, c, w, p)[0],
    ),
  );
  assertSmall(
    await difference(
      [x, c, p],
      () => lstmSequence(x, h, c, w, p)[1].slice(0, 1),
      () => lstmByHand(x, h, c, w, p)[1],
    ),
  );
});

for (const size of [5, 2]) {
  test(`lstmSequence() has right derivatives, first and second: ${size} of 5 units`, async () => {
    manualSeed(7);
    const shapes = [[3, 2, 20], [2, size], [2, 5], [20, size], ...size < 5 ? [[size, 5]] : []];
    const inputs = shapes.map((shape) =>
      randn(shape, { dtype: "float64", device: "cpu" }).mul(0.5).detach().setRequiresGrad(true)
    );
    const f = (...[x, h, c, w, p]: Tensor[]): Tensor => {
      const [hs, cs] = lstmSequence(x!, h!, c!, w!, p);
      return hs.sum().add(cs.square().sum());
    };
    await gradcheck(f, inputs);
    await gradgradcheck(f, inputs);
  });
}

test("gruSequence() is the loop over time steps, values and gradients", async () => {
  manualSeed(2);
  const [x, h, w, b] = [[6, 3, 15], [3, 5], [15, 5], [15]].map(parameter) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  assertSmall(
    await difference(
      [x, h, w, b],
      () => gruSequence(x, h, w, b).slice(0, 1),
      () => gruByHand(x, h, w, b),
    ),
  );
});

for (const nonlinearity of ["tanh", "relu"] as const) {
  test(`rnnSequence() with ${nonlinearity} is the loop over time steps`, async () => {
    manualSeed(3);
    const [x, h, w] = [[6, 3, 5], [3, 5], [5, 5]].map(parameter) as [Tensor, Tensor, Tensor];
    const byHand = (): Tensor => {
      const states: Tensor[] = [];
      let state = h;
      for (let t = 0; t < 6; t++) {
        const sum = x.select(0, t).add(state.matmul(w.T));
        state = nonlinearity === "tanh" ? sum.tanh() : sum.clamp(0);
        states.push(state);
      }
      return stack(states);
    };
    assertSmall(
      await difference([x, h, w], () => rnnSequence(x, h, w, nonlinearity).slice(0, 1), byHand),
    );
  });
}

test("lstmSequence() refuses sizes that do not agree", () => {
  assertThrows(
    () => lstmSequence(ones([2, 3, 20]), ones([3, 2]), ones([3, 5]), ones([20, 2]), ones([5, 2])),
    TypeError,
    "lstmSequence: expects [T, B, 4H], [B, P], [B, H], [4H, P] and [P, H]: projected [2, 3, 20], h0 [3, 2], c0 [3, 5], weight [20, 2], projection [5, 2]",
  );
  assertThrows(
    () => lstmSequence(ones([2, 3, 20]), ones([3, 4]), ones([3, 4]), ones([20, 5])),
    TypeError,
    "lstmSequence: expects [T, B, 4H], [B, H] and [4H, H]: projected [2, 3, 20], hidden [3, 4], weight [20, 5]",
  );
});

test("gruSequence() has no second derivative and says so", () => {
  const [x, h, w, b] = [[2, 1, 6], [1, 2], [6, 2], [6]].map(parameter) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const y = gruSequence(x, h, w, b).sum();
  const [dx] = grad(y, [x], { createGraph: true });
  assertThrows(
    () => grad(dx!.sum(), [x]),
    Error,
    'backward: "gruBackward" has no second derivative (leave out createGraph, or build the layer from single operations)',
  );
});

for (
  const [t, s, groups, causal] of [[5, 7, 1, false], [5, 5, 2, true], [150, 150, 1, true], [
    130,
    70,
    2,
    false,
  ]] as const
) {
  test(`scaledDotProductAttention() by tiles: ${t} queries, ${s} keys, groups of ${groups}, ${causal ? "causal" : "all"}`, async () => {
    manualSeed(4);
    const q = parameter([2, 4, t, 8]),
      k = parameter([2, 4 / groups, s, 8]),
      v = parameter([2, 4 / groups, s, 6]);
    const byHand = (): Tensor => {
      const keys = repeatInterleave(k, groups, 1), values = repeatInterleave(v, groups, 1);
      const scores = q.matmul(keys.transpose(-1, -2)).mul(1 / Math.sqrt(8));
      const seen = tril(ones([t, s], { dtype: "bool" }));
      return (causal ? where(seen, scores, -1e30) : scores).softmax(-1).matmul(values);
    };
    const tiled = (): Tensor =>
      scaledDotProductAttention(q, k, v, { isCausal: causal, enableGqa: groups > 1 });
    assertSmall(await difference([q, k, v], tiled, byHand));
  });
}

/** Kernels and temporary bytes of a plan, from its last line. */
function totals(text: string): { kernels: number; temporaries: number } {
  const [, kernels, amount, unit] = text.match(/(\d+) kernels.*temporaries ([\d.]+) (\w+)/s)!;
  const scale = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit!]!;
  return { kernels: Number(kernels), temporaries: Number(amount) * scale };
}

for (const size of [4, 3]) {
  test(`the plan of a recurrent step does not grow with the sequence: ${size} of 4 units`, () => {
    const plan = (steps: number): number => {
      const w = parameter([16, size]), h = ones([2, size]), c = ones([2, 4]);
      const projection = size < 4 ? parameter([size, 4]) : undefined;
      const step = compile((x: Tensor) =>
        grad(lstmSequence(x, h, c, w, projection)[0].sum(), [w])[0]!
      );
      return totals(step.describe(ones([steps, 2, 16]))).kernels;
    };
    assertEquals(plan(64), plan(4));
  });
}

test("memory of attention grows with the context, not with its square", () => {
  const plan = (length: number): number => {
    const q = parameter([1, 1, length, 8]);
    const step = compile(() =>
      grad(scaledDotProductAttention(q, q, q, { isCausal: true }).sum(), [q])[0]!
    );
    return totals(step.describe()).temporaries;
  };
  const growth = plan(2048) / plan(512);
  assertEquals(growth < 5, true, `four times the context took ${growth} times the memory`);
});
