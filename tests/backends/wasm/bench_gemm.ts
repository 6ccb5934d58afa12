/**
 * Times of matrix products: `deno run -A tests/backends/wasm/bench_gemm.ts [filter]`.
 */
import { planGemm } from "../../../ops/backends/wasm/gemm.ts";
import { fastest, pool, prepare, randomBlock } from "./_harness.ts";

/** Layout by two letters, N as stored, T transposed: "NT" is a linear layer. */
function problem(form: string, m: number, n: number, k: number) {
  return {
    m,
    n,
    k,
    a: form[0] === "N" ? { row: k, column: 1 } : { row: 1, column: m },
    b: form[1] === "N" ? { row: n, column: 1 } : { row: 1, column: k },
    c: { row: n, column: 1 },
    threads: pool.threads,
  };
}

const CASES: [form: string, m: number, n: number, k: number][] = [
  ["NN", 1024, 1024, 1024],
  ["NT", 1024, 1024, 1024],
  ["TN", 1024, 1024, 1024],
  ["NN", 512, 512, 512],
  ["NT", 64, 512, 18432],
  ["NN", 64, 18432, 512],
  ["TN", 512, 18432, 64],
  ["NT", 768, 128, 128],
  ["NN", 768, 128, 128],
  ["TN", 128, 128, 768],
  ["NT", 768, 512, 128],
  ["NT", 32, 1024, 256],
  ["NN", 32, 256, 1024],
  ["TN", 1024, 256, 32],
  ["NT", 64, 10, 512],
  ["NN", 1, 1024, 1024],
  ["NT", 1, 1024, 1024],
  ["NT", 4, 1024, 1024],
  ["NN", 8, 1024, 1024],
  ["NT", 8, 4096, 4096],
  ["TN", 64, 288, 16384],
  ["NN", 64, 64, 64],
];

if (import.meta.main) {
  const filter = Deno.args[0];
  for (const [form, m, n, k] of CASES) {
    const name = `${form} ${m}×${n}×${k}`;
    if (filter !== undefined && !name.includes(filter)) continue;
    const [a, b, c] = [m * k, k * n, m * n].map((count) => randomBlock(count).address);
    const plan = planGemm(problem(form, m, n, k));
    const { run, free } = prepare(plan, { a: a!, b: b!, c: c! });
    const ms = fastest(run);
    free();
    console.log(
      name.padEnd(20),
      ms.toFixed(4).padStart(9),
      "ms",
      (plan.flops / ms / 1e6).toFixed(1).padStart(6),
      "GFLOP/s",
      plan.jobs.map((job) => `${job.name}:${job.tasks}/${job.grain ?? 1}`).join(" "),
    );
  }
}
