import { assert, assertEquals } from "@std/assert";
import { planGemm } from "../../../ops/backends/wasm/gemm.ts";
import { WIDE_FLAG } from "../../../ops/backends/wasm/gemm_kernels.ts";
import type { KernelPlan } from "../../../ops/backends/wasm/kernel_plan.ts";
import { WideProbe } from "../../../ops/backends/wasm/wide.ts";
import {
  planWinogradForward,
  planWinogradInputGradient,
  planWinogradWeightGradient,
} from "../../../ops/backends/wasm/winograd.ts";
import { cache, memory, pool, prepare, randomBlock } from "./_harness.ts";

/** What V8 needs to make 256-bit instructions in Deno; `deno task wide` has the same. */
const FLAGS = "--v8-flags=--experimental-wasm-revectorize,--no-wasm-bounds-checks";

/** Runs long enough that the optimizing tier's code takes part. */
const TURNS = 300;

function setWide(flag: number): void {
  memory.view(WIDE_FLAG, 1, "i32")[0] = flag;
}

/** Asserts that a plan gives the same bits with narrow and wide panels. */
function assertSameBits(
  name: string,
  plan: KernelPlan,
  operands: Record<string, number>,
  result: number,
  count: number,
): void {
  const { run, free } = prepare(plan, operands);
  const results = [0, 1].map((flag) => {
    setWide(flag);
    for (let turn = 0; turn < TURNS; turn++) run();
    return memory.view(result, count, "u32").slice();
  });
  setWide(0);
  free();
  assertEquals(results[0]!.findIndex((bits, i) => bits !== results[1]![i]), -1, name);
}

Deno.test("wide panels give the same bits as narrow ones", () => {
  for (const n of [4, 8, 12, 13, 16, 20, 24, 44, 72, 65]) {
    for (const [m, k] of [[1, 3], [3, 64], [5, 65], [7, 300], [17, 9]] as const) {
      const [a, b, c] = [m * k, k * n, m * n].map((count) => randomBlock(count).address);
      const matrices = {
        a: { row: k, column: 1 },
        b: { row: n, column: 1 },
        c: { row: n, column: 1 },
      };
      const plan = planGemm({ m, n, k, ...matrices, relu: k === 64, threads: pool.threads });
      assertSameBits(`${m} × ${n} × ${k}`, plan, { a: a!, b: b!, c: c! }, c!, m * n);
      for (const block of [a, b, c]) memory.free(block!);
    }
  }
});

Deno.test("Winograd's products have the same bits with wide panels", () => {
  const { threads } = pool;
  const shape = { images: 2, cin: 20, cout: 21, height: 10, width: 14, pad: 1, threads };
  const pixels = shape.images * shape.height * shape.width;
  const sizes = { x: pixels * shape.cin, w: 9 * shape.cin * shape.cout, y: pixels * shape.cout };
  const block = (count: number) => randomBlock(count).address;
  const x = block(sizes.x), w = block(sizes.w), dy = block(sizes.y);
  const y = block(sizes.y), dx = block(sizes.x), dw = block(sizes.w);
  const operands = { x, w, y, dy, dx, dw };
  assertSameBits("forward", planWinogradForward(shape), operands, y, sizes.y);
  assertSameBits("input", planWinogradInputGradient(shape), operands, dx, sizes.x);
  assertSameBits("weight", planWinogradWeightGradient(shape), operands, dw, sizes.w);
  for (const address of [x, w, dy, y, dx, dw]) memory.free(address);
});

Deno.test("the probe decides after twelve measurements and leaves no block behind", async () => {
  const before = memory.stats().blocks;
  const probe = new WideProbe(memory, pool, cache);
  for (let poll = 0; poll < 20; poll++) {
    probe.poll();
    await new Promise((resolve) => setTimeout(resolve, 26));
  }
  assertEquals(probe.found, memory.view(WIDE_FLAG, 1, "i32")[0] === 1);
  const { blocks } = memory.stats();
  setWide(2);
  probe.poll(); // measures no more: a measurement would leave 0
  assertEquals([memory.view(WIDE_FLAG, 1, "i32")[0], memory.stats().blocks], [2, blocks]);
  // Constants and modules that the first product brings stay.
  assert(blocks - before < 8);
  setWide(0);
});

Deno.test({
  name: "all of this folder holds where V8 pairs vectors",
  ignore: Deno.env.get("TENSAURUS_WIDE") !== undefined,
  async fn() {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["test", "--quiet", "-A", FLAGS, new URL(".", import.meta.url).pathname],
      env: { TENSAURUS_WIDE: "1", NO_COLOR: "1" },
    });
    const { success, stdout, stderr } = await command.output();
    const text = new TextDecoder();
    assert(success, text.decode(stdout) + text.decode(stderr));
  },
});
