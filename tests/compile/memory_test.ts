/** Memory stays where it is: training loops do not grow. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  collectGarbage,
  compile,
  linear,
  manualSeed,
  memoryStats,
  noGrad,
  randn,
  setDetectAnomaly,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from "@tensaurus/core";
import { openTestDevice, testDeviceName } from "../device.ts";

const ignore = !await openTestDevice();

/** A step of a two-layer network, with its own update rule. */
function makeStep(): (x: Tensor, y: Tensor) => Tensor {
  manualSeed(1);
  const parameters = [randn([64, 32]), randn([64]), randn([8, 64]), randn([8])]
    .map((p) => p.mul(0.1).detach().setRequiresGrad(true));
  return (x, y) => {
    for (const p of parameters) p.grad = undefined;
    const [w1, b1, w2, b2] = parameters as [Tensor, Tensor, Tensor, Tensor];
    const loss = linear(linear(x, w1, b1).tanh(), w2, b2).sub(y).square().mean();
    loss.backward();
    noGrad(() => parameters.forEach((p) => p.sub_(p.grad!.mul(0.01))));
    return loss;
  };
}

function liveBytes(): number {
  return Object.values(memoryStats()).reduce((n, s) => n + s.live, 0);
}

async function growth(step: (x: Tensor, y: Tensor) => Tensor): Promise<[number, number]> {
  const x = randn([16, 32]), y = randn([16, 8]);
  const sizes: number[] = [];
  const live: number[] = [];
  for (let i = 1; i <= 2000; i++) {
    const loss = step(x, y);
    if (i % 10 === 0) await loss.item();
    if (i === 50 || i === 2000) {
      await collectGarbage();
      sizes.push(Deno.memoryUsage().rss);
      live.push(liveBytes());
    }
  }
  return [sizes[1]! / sizes[0]!, live[1]! / live[0]!];
}

for (const kind of ["compiled", "eager"] as const) {
  Deno.test({
    name: `memory after 2,000 ${kind} steps is that after 50`,
    ignore,
    fn: async () => {
      const step = makeStep();
      const [resident, live] = await growth(kind === "compiled" ? compile(step) : step);
      assertEquals(live <= 1.05, true, `live bytes grew to ${live.toFixed(3)}`);
      // The driver of a software GPU keeps memory of its own; there the library's count decides.
      if (testDeviceName() === "cpu") {
        assertEquals(resident <= 1.05, true, `resident size grew to ${resident.toFixed(3)}`);
      }
    },
  });
}

Deno.test({
  name: "tidy() gives back everything but the result",
  ignore,
  fn: async () => {
    const run = (): Tensor => tidy(() => tensor([1, 2, 3]).mul(2).add(1).exp().sum());
    run().dispose(); // code and constants stay
    await collectGarbage();
    const before = liveBytes();
    const y = run();
    const after = liveBytes();
    assertEquals(after - before <= 256, true, `${after - before} bytes stay`);
    y.dispose();
  },
});

Deno.test({
  name: "zeros() of more than the device has says what was needed and what is there",
  ignore,
  fn: () => {
    const error = assertThrows(() => zeros([1024, 1024, 1024, 2]), RangeError);
    const expected =
      /^\w+: no memory for an array of 8589934592 bytes: live \d+, pooled \d+ \(use smaller batches/;
    assertEquals(expected.test(error.message), true, error.message);
    assertEquals(zeros([2]).shape, [2]); // the device goes on
  },
});

Deno.test({
  name: "setDetectAnomaly() names the operation inside a compiled step",
  ignore,
  fn: () => {
    const step = compile((x: Tensor) => x.sub(1).log().sum());
    setDetectAnomaly(true);
    try {
      assertThrows(() => step(tensor([0, 2])), Error, "log: gave a NaN: input [2]");
    } finally {
      setDetectAnomaly(false);
    }
  },
});
