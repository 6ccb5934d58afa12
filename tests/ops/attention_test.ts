/** Attention by blocks with masks and dropout: right, the same numbers again, and in little memory. */
import { assertEquals } from "@std/assert";
import {
  type AttentionOptions,
  compile,
  dropout,
  grad,
  manualSeed,
  nn,
  ones,
  rand,
  randn,
  repeatInterleave,
  scaledDotProductAttention,
  type Tensor,
  tril,
  where,
  zeros,
} from "@tensaurus/core";
import { gradcheck, gradgradcheck } from "../../ops/gradcheck.ts";
import { openTestDevice } from "../device.ts";

const ignore = !await openTestDevice();

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

interface Sizes {
  readonly t: number;
  readonly s: number;
  /** Query heads that share keys and values. */
  readonly groups: number;
}

const BATCH = 2, HEADS = 4, FEATURES = 8, VALUES = 6;

function parameter(shape: number[]): Tensor {
  return randn(shape).mul(0.5).detach().setRequiresGrad(true);
}

function inputsOf({ t, s, groups }: Sizes): [Tensor, Tensor, Tensor] {
  return [
    parameter([BATCH, HEADS, t, FEATURES]),
    parameter([BATCH, HEADS / groups, s, FEATURES]),
    parameter([BATCH, HEADS / groups, s, VALUES]),
  ];
}

/** Attention on whole matrices; a query that sees nothing has weights 0. */
function byHand(
  [q, k, v]: readonly Tensor[],
  { attnMask, isCausal, dropoutP = 0, enableGqa }: AttentionOptions,
): Tensor {
  const groups = enableGqa ? q!.size(1) / k!.size(1) : 1;
  const keys = repeatInterleave(k!, groups, 1), values = repeatInterleave(v!, groups, 1);
  let scores = q!.matmul(keys.transpose(-1, -2)).mul(1 / Math.sqrt(q!.size(-1)));
  const lowest = -1e30;
  if (attnMask?.dtype === "bool") scores = where(attnMask, scores, lowest);
  else if (attnMask) scores = scores.add(attnMask.clamp(lowest));
  if (isCausal) {
    scores = where(tril(ones([q!.size(-2), k!.size(-2)], { dtype: "bool" })), scores, lowest);
  }
  const sighted = scores.detach().amax(-1, { keepdim: true }).gt(lowest / 2);
  const weights = scores.softmax(-1).mul(sighted.to(scores.dtype));
  return dropout(weights, { p: dropoutP }).matmul(values);
}

/** Value and gradients, with the weights of the sum and dropout from one seed. */
function run(inputs: Tensor[], f: () => Tensor): Tensor[] {
  manualSeed(5);
  const y = f();
  return [y, ...grad(y.mul(randn(y.shape)).sum(), inputs) as Tensor[]];
}

async function assertClose(a: Tensor[], b: Tensor[]): Promise<void> {
  for (const [i, x] of a.entries()) {
    const difference = await x.sub(b[i]!).abs().max().item();
    assertEquals(difference < 2e-5, true, `result ${i} differs by ${difference}`);
  }
}

/** Masks by name; batch 1 of `keys` leaves out all keys, and row 2 of the others too. */
const MASKS: Record<string, (sizes: Sizes) => Tensor> = {
  pairs: ({ t, s }) => someRows(t, rand([t, s]).lt(0.7)),
  keys: ({ s }) => rand([BATCH, 1, 1, s]).lt(zeros([BATCH, 1, 1, s]).add(someBatch())),
  "each head, added": ({ t, s }) =>
    where(someRows(t, rand([HEADS, t, s]).lt(0.7)), randn([HEADS, t, s]), -Infinity),
  "expanded, added": ({ s }) => randn([BATCH, 1, 1, s]).expand([BATCH, HEADS, 1, s]),
  rows: ({ t }) => someRows(t, ones([t, 1], { dtype: "bool" })),
};

function someRows(t: number, mask: Tensor): Tensor {
  const row = ones([t, 1]).cumsum(0).ne(3);
  return mask.logicalAnd(row);
}

function someBatch(): Tensor {
  return ones([BATCH, 1, 1, 1]).cumsum(0).eq(1).to("float32").mul(0.7);
}

for (const [name, mask] of Object.entries(MASKS)) {
  for (const sizes of [{ t: 5, s: 7, groups: 2 }, { t: 150, s: 70, groups: 1 }]) {
    const size = `${sizes.t} queries, ${sizes.s} keys, groups of ${sizes.groups}`;
    test(`scaledDotProductAttention() by tiles with a mask of ${name}: ${size}`, async () => {
      manualSeed(1);
      const inputs = inputsOf(sizes);
      const options = { attnMask: mask(sizes), enableGqa: sizes.groups > 1 };
      await assertClose(
        run(inputs, () => scaledDotProductAttention(...inputs, options)),
        run(inputs, () => byHand(inputs, options)),
      );
    });
  }
}

for (const isCausal of [false, true]) {
  for (const sizes of [{ t: 6, s: 6, groups: 2 }, { t: 150, s: 150, groups: 1 }]) {
    const title = `${sizes.t} queries${isCausal ? ", causal" : ""}`;
    test(`scaledDotProductAttention() drops what dropout() of the weights drops: ${title}`, async () => {
      manualSeed(2);
      const inputs = inputsOf(sizes);
      const options = { isCausal, dropoutP: 0.3, enableGqa: sizes.groups > 1 };
      await assertClose(
        run(inputs, () => scaledDotProductAttention(...inputs, options)),
        run(inputs, () => byHand(inputs, options)),
      );
    });
  }
}

test("scaledDotProductAttention() compiled is the same, with mask and dropout", async () => {
  manualSeed(3);
  const sizes = { t: 140, s: 9, groups: 1 }, inputs = inputsOf(sizes);
  const options = { attnMask: MASKS.pairs!(sizes), dropoutP: 0.2 };
  const direction = randn([BATCH, HEADS, sizes.t, VALUES]);
  const step = (...[q, k, v]: Tensor[]): Tensor[] => {
    const y = scaledDotProductAttention(q!, k!, v!, options);
    return [y, ...grad(y.mul(direction).sum(), inputs) as Tensor[]];
  };
  const compiled = compile(() => step(...inputs));
  for (const seed of [7, 8, 7]) {
    manualSeed(seed);
    const eager = step(...inputs);
    manualSeed(seed);
    await assertClose(compiled(), eager);
  }
});

test("scaledDotProductAttention() with dropout gives the same bits for the same seed", async () => {
  manualSeed(4);
  const inputs = inputsOf({ t: 150, s: 150, groups: 1 });
  const once = () =>
    run(inputs, () => scaledDotProductAttention(...inputs, { isCausal: true, dropoutP: 0.5 }));
  const first = once(), second = once();
  for (const [i, x] of first.entries()) assertEquals(await x.data(), await second[i]!.data());
});

for (const attnMask of [undefined, "bool", "added"]) {
  test(`scaledDotProductAttention() has right derivatives, first and second: mask ${attnMask}`, async () => {
    manualSeed(6);
    const options = { dtype: "float64", device: "cpu" } as const;
    const [q, k, v] = [[1, 2, 3, 2], [1, 1, 4, 2], [1, 1, 4, 3]].map((shape) =>
      randn(shape, options).setRequiresGrad(true)
    ) as [Tensor, Tensor, Tensor];
    const seen = rand([2, 3, 4], options).lt(0.6);
    const mask = attnMask === "bool"
      ? seen
      : attnMask && where(seen, randn([2, 3, 4], options), -Infinity);
    const f = (...[q, k, v]: Tensor[]): Tensor => {
      manualSeed(9);
      const attnMask = mask || undefined;
      const options = { attnMask, isCausal: !mask, dropoutP: 0.25, enableGqa: true };
      return scaledDotProductAttention(q!, k!, v!, options);
    };
    await gradcheck(f, [q, k, v]);
    await gradgradcheck(f, [q, k, v]);
  });
}

test("scaledDotProductAttention() gives an added mask its gradient", async () => {
  manualSeed(7);
  const inputs = inputsOf({ t: 5, s: 7, groups: 1 });
  const attnMask = parameter([HEADS, 1, 7]);
  await assertClose(
    run([...inputs, attnMask], () => scaledDotProductAttention(...inputs, { attnMask })),
    run([...inputs, attnMask], () => byHand(inputs, { attnMask })),
  );
});

/** Temporary bytes of a plan, from its last line. */
function temporaries(text: string): number {
  const [, amount, unit] = text.match(/temporaries ([\d.]+) (\w+)/)!;
  return Number(amount) * { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit!]!;
}

/** How much more memory four times the context takes. */
function assertLinear(bytes: (length: number) => number): void {
  const growth = bytes(2048) / bytes(512);
  assertEquals(growth < 5, true, `four times the context took ${growth} times the memory`);
}

const RESTRICTIONS: Record<string, (length: number) => AttentionOptions> = {
  "dropout": () => ({ isCausal: true, dropoutP: 0.1 }),
  "a mask of keys": (length) => ({ attnMask: rand([2, 1, 1, length]).lt(0.5) }),
  "an expanded mask": (length) => ({
    attnMask: randn([2, 1, 1, length]).expand([2, 3, 1, length]),
  }),
  "a mask and dropout": (length) => ({ attnMask: rand([1, length]).lt(0.5), dropoutP: 0.1 }),
};

for (const [name, optionsOf] of Object.entries(RESTRICTIONS)) {
  test(`memory of attention with ${name} grows with the context, not with its square`, () => {
    assertLinear((length) => {
      const q = parameter([2, 3, length, 4]), options = optionsOf(length);
      const step = compile(() => grad(scaledDotProductAttention(q, q, q, options).sum(), [q])[0]!);
      return temporaries(step.describe());
    });
  });
}

test("MultiheadAttention without weights keeps no matrix: key padding, causality and dropout", () => {
  assertLinear((length) => {
    const layer = new nn.MultiheadAttention(4, 2, { dropout: 0.1, batchFirst: true });
    const keyPaddingMask = rand([2, length]).lt(0.5);
    const step = compile((x: Tensor) => {
      const options = { keyPaddingMask, isCausal: true, needWeights: false };
      layer.forward(x, x, x, options)[0].sum().backward();
    });
    return temporaries(step.describe(ones([2, length, 4])));
  });
});
