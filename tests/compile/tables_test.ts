/** Products with rows of a table: compiled, the table is multiplied; the numbers stay. */
import { assert, assertEquals } from "@std/assert";
import {
  cat,
  compile,
  embedding,
  grad,
  linear,
  manualSeed,
  noGrad,
  rand,
  randint,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "@tensaurus/core";
import { openTestDevice, testDeviceName } from "../device.ts";

const ignore = !await openTestDevice();

/** A scatter that keeps its order costs more on a GPU: there the rows are multiplied. */
const moves = ["cpu", "reference"].includes(testDeviceName());

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

/** Sums of up to a few hundred numbers in another order. */
async function assertClose(found: Tensor, expected: Tensor, name: string): Promise<void> {
  const a = [...await found.data()], b = [...await expected.data()];
  assertEquals(a.length, b.length);
  const largest = Math.max(...b.map(Math.abs));
  for (const [i, x] of b.entries()) {
    const off = Math.abs(a[i]! - x);
    assert(off <= 4e-6 * largest, `${name}[${i}]: ${a[i]}, expected ${x}`);
  }
}

const [ROWS, WIDTH, OUT] = [7, 64, 96] as const;

/** A table, and what multiplies its rows. */
function parameters(): { table: Tensor; weight: Tensor; bias: Tensor } {
  manualSeed(4);
  const table = randn([ROWS, WIDTH], { requiresGrad: true });
  const weight = randn([OUT, WIDTH], { requiresGrad: true });
  return { table, weight, bias: rand([OUT]) };
}

/** What is trained, and whether the gradient of the rows looked up is asked for as well. */
type Parts = ReturnType<typeof parameters> & { ofRows?: boolean };

/** Output and gradients; rows are looked up as a batch and read as a sequence. */
function gradients(index: Tensor, parts: Parts): Record<string, Tensor> {
  const { table, weight, bias, ofRows = false } = parts;
  const rows = embedding(index, table);
  const y = linear(rows.transpose(0, 1), weight, bias).mul(0.1).tanh();
  const loss = y.square().mean();
  const wanted = { weight, ...table.requiresGrad ? { table } : {}, ...ofRows ? { rows } : {} };
  const found = grad(loss, Object.values(wanted));
  return { y, ...Object.fromEntries(Object.keys(wanted).map((name, i) => [name, found[i]!])) };
}

/** Compiled results are those of the operations one by one; returns the plan. */
async function compare(index: Tensor, parts: Parts): Promise<string> {
  const compiled = compile((i: Tensor) => gradients(i, parts));
  const found = compiled(index);
  const expected = gradients(index, parts);
  for (const [name, value] of Object.entries(expected)) {
    await assertClose(found[name]!, value, name);
  }
  return compiled.describe(index);
}

/** Whether a plan multiplies the rows of the table, and not those looked up. */
function multipliesTable(plan: string): boolean {
  return plan.includes(`[${ROWS}] x [${OUT}] over [${WIDTH}]`);
}

test("compile() multiplies a table instead of the rows looked up in it", async () => {
  const plan = await compare(randint(0, ROWS, [4, 9]), parameters());
  assertEquals(multipliesTable(plan), moves);
  if (!moves) return;
  assert(plan.includes(`[${WIDTH}] x [${OUT}] over [${ROWS}]`), plan); // gradient of the weight
  assert(plan.includes(`[${ROWS}] x [${WIDTH}] over [${OUT}]`), plan); // gradient of the table
  assertEquals(plan.match(/^scatter/gm)?.length, 2, plan); // one for both, and which rows take part
});

test("compile() keeps the gradient of the rows where it is asked for", async () => {
  await compare(randint(0, ROWS, [4, 9]), { ...parameters(), ofRows: true });
});

test("compile() multiplies a table that is not trained", async () => {
  const parts = parameters();
  const frozen = { ...parts, table: parts.table.detach() };
  const plan = await compare(randint(0, ROWS, [4, 9]), frozen);
  assertEquals(multipliesTable(plan), moves);
});

test("compile() multiplies the rows where they are few, or very many", async () => {
  assert(!multipliesTable(await compare(randint(0, ROWS, [3, 9]), parameters())));
  assert(!multipliesTable(await compare(randint(0, ROWS, [32, 29]), parameters())));
});

test("compile() takes positions from the end, and leaves out those that are out of range", async () => {
  const parts = parameters();
  const values = Array.from({ length: 36 }, (_, i) => (5 * i) % 18 - 9); // -9 to 8
  const compiled = compile((i: Tensor) => gradients(i, parts));
  const found = compiled(tensor(values, { shape: [4, 9], dtype: "int32" }));
  const padded = cat([parts.table, zeros([1, WIDTH])]);
  const inside = values.map((i) => i < -ROWS || i >= ROWS ? ROWS : (i + ROWS) % ROWS);
  const index = tensor(inside, { shape: [4, 9], dtype: "int32" });
  const expected = gradients(index, { ...parts, table: padded });
  await assertClose(found["y"]!, expected["y"]!, "y");
  await assertClose(found["weight"]!, expected["weight"]!, "weight");
  await assertClose(found["table"]!, expected["table"]!.slice(0, 0, ROWS), "table");
});

test("compile() keeps a NaN in a row that nobody looks up to itself", async () => {
  const parts = parameters();
  noGrad(() => parts.table.slice(0, 5, 6).fill_(NaN));
  const plan = await compare(randint(0, 5, [4, 9]), parts);
  assertEquals(multipliesTable(plan), moves);
});
