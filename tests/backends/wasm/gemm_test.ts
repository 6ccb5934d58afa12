import { assert, assertEquals } from "@std/assert";
import { ModuleBuilder } from "../../../ops/backends/wasm/assembler.ts";
import type {
  FunctionBuilder,
  ModuleOptions,
  Operand,
} from "../../../ops/backends/wasm/assembler.ts";
import { HOOK, PACK } from "../../../ops/backends/wasm/gemm_args.ts";
import { planGemm } from "../../../ops/backends/wasm/gemm.ts";
import type { GemmProblem } from "../../../ops/backends/wasm/gemm.ts";
import type { KernelModule } from "../../../ops/backends/wasm/kernel_plan.ts";
import { memory, pool, prepare, randomBlock } from "./_harness.ts";

const MARK = 12345;

/** Runs a product with strided operands and compares with plain loops in float64. */
function check(
  m: number,
  n: number,
  k: number,
  form: string,
  options: Partial<GemmProblem> & { gap?: number } = {},
): void {
  const { gap = 0, batches = 1, bias, accumulate = false, relu = false } = options;
  const strides = (rows: number, columns: number, letter: string) =>
    letter === "N"
      ? { row: columns + gap, column: 1 }
      : letter === "T"
      ? { row: 1, column: rows + gap }
      : { row: 2 * columns + gap, column: 2 };
  const size = (rows: number, columns: number, x: { row: number; column: number }) =>
    Math.max(1, rows * x.row + columns * x.column);
  const [a, b, c] = [
    strides(m, k, form[0]!),
    strides(k, n, form[1]!),
    strides(m, n, form[2] ?? "N"),
  ];
  const sizes = [size(m, k, a), size(k, n, b), size(m, n, c)] as const;
  const offsets = (count: number) => Array.from({ length: batches }, (_, i) => i * count);
  const blocks = sizes.map((count) => randomBlock(count * batches)) as [Block, Block, Block];
  const biases = randomBlock(Math.max(m, n));
  const before = memory.view(blocks[2].address, sizes[2] * batches, "f32");
  if (!accumulate) before.fill(MARK);
  const start = before.slice();
  const plan = planGemm({
    m,
    n,
    k,
    batches,
    a: { ...a, batches: offsets(sizes[0]) },
    b: { ...b, batches: offsets(sizes[1]) },
    c: { ...c, batches: offsets(sizes[2]) },
    bias,
    accumulate,
    relu,
    threads: pool.threads,
  });
  const operands = Object.fromEntries(blocks.map((block, i) => ["abc"[i]!, block.address]));
  const { run, free } = prepare(plan, { ...operands, bias: biases.address });
  run();
  free();
  const result = memory.view(blocks[2].address, sizes[2] * batches, "f32").slice();
  for (const block of [...blocks, biases]) memory.free(block.address);
  const where = `${form} ${m}×${n}×${k} ${JSON.stringify(options)}`;
  for (let batch = 0; batch < batches; batch++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const at = batch * sizes[2] + i * c.row + j * c.column;
        let sum = accumulate
          ? start[at]!
          : bias === undefined
          ? 0
          : biases.values[bias === "row" ? i : j]!;
        for (let l = 0; l < k; l++) {
          sum += blocks[0].values[batch * sizes[0] + i * a.row + l * a.column]! *
            blocks[1].values[batch * sizes[1] + l * b.row + j * b.column]!;
        }
        if (relu) sum = Math.max(0, sum);
        const error = Math.abs(result[at]! - sum);
        if (!(error <= 3e-6 * (4 + Math.sqrt(k)))) {
          throw new Error(`${where}: C[${i}, ${j}] of ${batch} is ${result[at]}, expected ${sum}`);
        }
        start[at] = result[at]!;
      }
    }
  }
  assertEquals(result, start, `${where}: wrote outside of C`);
}

interface Block {
  address: number;
  values: Float32Array;
}

const FORMS = ["NN", "NT", "TN", "TT", "GG", "NG", "GN", "NTT", "NNT"];

Deno.test("gemm matches plain loops for all layouts and edge sizes", () => {
  for (const form of FORMS) {
    for (
      const [m, n, k] of [
        [1, 1, 1],
        [3, 5, 7],
        [2, 24, 8],
        [1, 65, 63],
        [65, 1, 64],
        [4, 4, 500],
        [63, 64, 65],
        [64, 63, 513],
        [17, 49, 16],
        [7, 23, 3],
        [9, 25, 300],
        [2, 3, 0],
      ] as const
    ) {
      check(m, n, k, form);
      check(m, n, k, form, { gap: 3, bias: "column", relu: true });
      check(m, n, k, form, { gap: 1, bias: "row" });
      check(m, n, k, form, { accumulate: true });
    }
  }
});

Deno.test("gemm splits large products among threads and tiles", () => {
  for (const form of ["NN", "NT", "TN", "TT"]) {
    check(500, 513, 260, form, { bias: "row", relu: true });
    check(600, 70, 300, form, { bias: "column" });
    check(40, 700, 1030, form);
    check(5, 500, 2100, form, { bias: "column" });
  }
});

Deno.test("gemm batches with offsets of their own", () => {
  for (const form of ["NN", "NT", "TN", "GT"]) {
    check(33, 31, 17, form, { batches: 7, bias: "column" });
    check(64, 64, 64, form, { batches: 24 });
    check(2, 100, 40, form, { batches: 5, accumulate: true });
  }
});

Deno.test("gemm divides long sums over a small result into fixed chunks", () => {
  check(20, 30, 20000, "TN", { bias: "row", relu: true });
  check(64, 100, 5000, "NN");
  check(20, 30, 4100, "TT", { accumulate: true });
});

Deno.test("gemm keeps NaN and infinity, also through ReLU", () => {
  const [a, b, c] = [randomBlock(4), randomBlock(4), randomBlock(4)];
  memory.view(a.address, 4, "f32").set([NaN, 1, 1, 1]);
  memory.view(b.address, 4, "f32").set([1, 1, Infinity, -Infinity]);
  const matrix = { row: 2, column: 1 };
  const plan = planGemm({
    m: 2,
    n: 2,
    k: 2,
    a: matrix,
    b: matrix,
    c: matrix,
    relu: true,
    threads: 1,
  });
  const { run, free } = prepare(plan, { a: a.address, b: b.address, c: c.address });
  run();
  assertEquals([...memory.view(c.address, 4, "f32")], [NaN, NaN, Infinity, 0]);
  free();
});

Deno.test("gemm gives the same bits for any number of threads", () => {
  const [m, n, k] = [300, 200, 700];
  const [a, b, c] = [randomBlock(m * k), randomBlock(k * n), randomBlock(m * n)];
  const results = [1, 2, 3, 8].map((threads) => {
    const plan = planGemm({
      m,
      n,
      k,
      threads,
      a: { row: k, column: 1 },
      b: { row: n, column: 1 },
      c: { row: n, column: 1 },
    });
    const { run, free } = prepare(plan, { a: a.address, b: b.address, c: c.address });
    run();
    free();
    return memory.view(c.address, m * n, "f32").slice();
  });
  for (const result of results) assert(result.every((x, i) => x === results[0]![i]));
});

/** `args + (row · rowStride + column) · 4 + batch · batchBytes`. */
function pushAddress(
  f: FunctionBuilder,
  base: Operand,
  row: Operand,
  stride: number,
  column: Operand,
): FunctionBuilder {
  f.push(base, row).i32(stride).op("i32.mul").push(column).op("i32.add").i32(4);
  return f.op("i32.mul", "i32.add");
}

/** Operands `2·a + batch` and `b + 1` from matrices of m × k and k × n, and a hook that adds 100. */
function externalModule(k: number, n: number): KernelModule {
  const build = (options: ModuleOptions) => {
    const m = new ModuleBuilder(options);
    m.importMemory();
    for (const name of ["packA", "packB"]) {
      m.func({ ...PACK, export: name }, (f) => {
        const [args, batch, first, last, kFirst, kLast, dst, dstRow] = f.parameters(8);
        const [i, l, row] = f.locals("i32", 3);
        const isA = name === "packA";
        f.range(i, first, last, 1, () =>
          f.range(l, kFirst, kLast, 1, () => {
            f.get(...(isA ? [i, first] : [l, kFirst])).op("i32.sub").get(dstRow).op("i32.mul");
            f.get(dst).op("i32.add").set(row);
            f.get(row, ...(isA ? [l, kFirst] : [i, first])).op("i32.sub").i32(4);
            f.op("i32.mul", "i32.add");
            if (isA) pushAddress(f, args, i, k, l);
            else pushAddress(f, args, l, n, i);
            f.memory("f32.load");
            if (isA) f.f32(2).op("f32.mul").get(batch).op("f32.convert_i32_s", "f32.add");
            else f.f32(1).op("f32.add");
            f.memory("f32.store");
          }));
      });
    }
    m.func({ ...HOOK, export: "hook" }, (f) => {
      const [args, batch, row, rowEnd, column, columnEnd] = f.parameters(6);
      const [i, j, at] = f.locals("i32", 3);
      f.range(i, row, rowEnd, 1, () =>
        f.range(j, column, columnEnd, 1, () => {
          f.get(args).memory("i32.load").get(batch).get(args).memory("i32.load", 4);
          f.op("i32.mul", "i32.add").set(at);
          pushAddress(f, at, i, n, j).tee(at).get(at).memory("f32.load").f32(100).op("f32.add");
          f.memory("f32.store");
        }));
    });
    return m.build();
  };
  return { key: `external ${k} ${n}`, names: ["packA", "packB", "hook"], build };
}

Deno.test("gemm packs operands by external functions and calls the hook once per element", () => {
  for (const [m, n, k, batches] of [[5, 7, 9, 3], [70, 130, 600, 1], [300, 100, 40, 2]] as const) {
    const module = externalModule(k, n);
    const [a, b, c] = [randomBlock(m * k), randomBlock(k * n), randomBlock(batches * m * n)];
    const hookArgs = memory.alloc(8);
    memory.view(hookArgs, 2, "i32").set([c.address, 4 * m * n]);
    const plan = planGemm({
      ...{ m, n, k, batches, threads: pool.threads },
      a: { pack: { module, name: "packA" }, args: { operand: "a" } },
      b: { pack: { module, name: "packB" }, args: { operand: "b" } },
      c: { row: n, column: 1, batches: Array.from({ length: batches }, (_, i) => i * m * n) },
      hook: { pack: { module, name: "hook" }, args: hookArgs },
    });
    const { run, free } = prepare(plan, { a: a.address, b: b.address, c: c.address });
    run();
    free();
    const result = memory.view(c.address, batches * m * n, "f32");
    for (let at = 0; at < result.length; at++) {
      const [batch, i, j] = [Math.floor(at / (m * n)), Math.floor(at / n) % m, at % n];
      let sum = 100;
      for (let l = 0; l < k; l++) {
        sum += (2 * a.values[i * k + l]! + batch) * (b.values[l * n + j]! + 1);
      }
      assert(Math.abs(result[at]! - sum) < 1e-3, `C[${i}, ${j}] of ${batch}: ${result[at]} ${sum}`);
    }
  }
});
