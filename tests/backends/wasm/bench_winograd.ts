/**
 * Times of 3 × 3 convolutions by Winograd's method, in GFLOP/s of the direct method:
 * `deno run -A tests/backends/wasm/bench_winograd.ts [filter]`.
 */
import {
  planWinogradForward,
  planWinogradInputGradient,
  planWinogradWeightGradient,
} from "../../../ops/backends/wasm/winograd.ts";
import { fastest, pool, prepare, randomBlock } from "./_harness.ts";

const SHAPES: [images: number, cin: number, cout: number, size: number][] = [
  [64, 3, 32, 48],
  [64, 32, 64, 48],
  [64, 64, 128, 24],
  [32, 32, 32, 28],
  [32, 64, 64, 14],
  [32, 128, 128, 7],
  [32, 64, 32, 28],
  [32, 128, 64, 14],
];

if (import.meta.main) {
  for (const [images, cin, cout, size] of SHAPES) {
    const shape = { images, cin, cout, height: size, width: size, pad: 1, threads: pool.threads };
    const name = `${images}: ${cin}→${cout} at ${size}²`;
    if (Deno.args[0] !== undefined && !name.includes(Deno.args[0])) continue;
    const pixels = images * size * size;
    const [x, y, w] = [pixels * cin, pixels * cout, 9 * cin * cout].map((n) =>
      randomBlock(n).address
    ) as [number, number, number];
    const [dx, dw] = [randomBlock(pixels * cin).address, randomBlock(9 * cin * cout).address];
    for (
      const [pass, plan] of [
        ["forward", planWinogradForward(shape)],
        ["dgrad", planWinogradInputGradient(shape)],
        ["wgrad", planWinogradWeightGradient(shape)],
      ] as const
    ) {
      const { run, free } = prepare(plan, { x, y, w, dy: y, dx, dw });
      const ms = fastest(run);
      free();
      console.log(
        name.padEnd(18),
        pass.padEnd(8),
        ms.toFixed(3).padStart(8),
        "ms",
        (plan.flops / ms / 1e6).toFixed(0).padStart(5),
        "GFLOP/s direct",
        plan.jobs.map((job) => `${job.name}:${job.tasks}/${job.grain ?? 1}`).join(" "),
      );
    }
  }
}
