import { assert, assertEquals } from "@std/assert";
import {
  planWinogradForward,
  planWinogradInputGradient,
  planWinogradWeightGradient,
} from "../../../ops/backends/wasm/winograd.ts";
import type { WinogradShape } from "../../../ops/backends/wasm/winograd.ts";
import { memory, pool, prepare, randomBlock } from "./_harness.ts";

type Visit = (y: number, x: number, w: number) => void;

/** Calls `visit` with the indices of every product of a convolution. */
function forEachProduct(s: WinogradShape, visit: Visit): void {
  const [oh, ow] = [s.height + 2 * s.pad - 2, s.width + 2 * s.pad - 2];
  for (let n = 0; n < s.images; n++) {
    for (let co = 0; co < s.cout; co++) {
      for (let ci = 0; ci < s.cin; ci++) {
        for (let tap = 0; tap < 9; tap++) {
          const [r, c] = [Math.floor(tap / 3), tap % 3];
          for (let i = 0; i < oh; i++) {
            const y = i + r - s.pad;
            if (y < 0 || y >= s.height) continue;
            for (let j = 0; j < ow; j++) {
              const x = j + c - s.pad;
              if (x < 0 || x >= s.width) continue;
              visit(
                ((n * s.cout + co) * oh + i) * ow + j,
                ((n * s.cin + ci) * s.height + y) * s.width + x,
                (co * s.cin + ci) * 9 + tap,
              );
            }
          }
        }
      }
    }
  }
}

function compare(name: string, result: Float32Array, expected: Float64Array): void {
  assertEquals(result.length, expected.length);
  const scale = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  expected.forEach((x, i) => {
    const error = Math.abs(result[i]! - x) / scale;
    if (!(error < 1e-5)) throw new Error(`${name}: element ${i} is ${result[i]}, expected ${x}`);
  });
}

function check(shape: WinogradShape): void {
  const { images, cin, cout, height, width, pad } = shape;
  const sizes = {
    x: images * cin * height * width,
    w: cout * cin * 9,
    y: images * cout * (height + 2 * pad - 2) * (width + 2 * pad - 2),
  };
  const [x, w, dy] = [randomBlock(sizes.x), randomBlock(sizes.w), randomBlock(sizes.y)];
  const [y, dx, dw] = [sizes.y, sizes.x, sizes.w].map((size) => {
    const block = randomBlock(size + 1);
    memory.view(block.address, size + 1, "f32").fill(777);
    return block;
  }) as [typeof x, typeof x, typeof x];
  const bias = randomBlock(cout);
  const expected = [sizes.y, sizes.x, sizes.w].map((size) => new Float64Array(size)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  forEachProduct(shape, (yi, xi, wi) => {
    expected[0][yi]! += x.values[xi]! * w.values[wi]!;
    expected[1][xi]! += dy.values[yi]! * w.values[wi]!;
    expected[2][wi]! += dy.values[yi]! * x.values[xi]!;
  });
  const plane = sizes.y / images / cout;
  const withBias = expected[0].map((v, i) =>
    Math.max(0, v + bias.values[Math.floor(i / plane) % cout]!)
  );
  const operands = {
    ...{ x: x.address, w: w.address, y: y.address, dy: dy.address },
    ...{ dx: dx.address, dw: dw.address, bias: bias.address },
  };
  const name = JSON.stringify(shape);
  for (
    const [pass, plan, out, size, want] of [
      ["forward", planWinogradForward(shape), y, sizes.y, expected[0]],
      ["relu", planWinogradForward(shape, { bias: true, relu: true }), y, sizes.y, withBias],
      ["dgrad", planWinogradInputGradient(shape), dx, sizes.x, expected[1]],
      ["wgrad", planWinogradWeightGradient(shape), dw, sizes.w, expected[2]],
    ] as const
  ) {
    const { run, free } = prepare(plan, operands);
    run();
    free();
    const result = memory.view(out.address, size + 1, "f32").slice();
    assertEquals(result[size], 777, `${pass} ${name} wrote beyond its result`);
    compare(`${pass} ${name}`, result.subarray(0, size), want);
  }
  for (const block of [x, w, dy, y, dx, dw, bias]) memory.free(block.address);
}

Deno.test("winograd matches direct convolution and its gradients at edge sizes", () => {
  const { threads } = pool;
  for (const pad of [0, 1, 2]) {
    for (const [height, width] of [[3, 3], [4, 5], [7, 7], [14, 9], [3, 17], [24, 24]] as const) {
      check({ images: 3, cin: 3, cout: 5, height, width, pad, threads });
    }
    check({ images: 2, cin: 9, cout: 7, height: 6, width: 11, pad, threads });
  }
  check({ images: 1, cin: 1, cout: 1, height: 1, width: 1, pad: 1, threads });
  check({ images: 1, cin: 2, cout: 3, height: 2, width: 1, pad: 1, threads });
});

Deno.test("winograd matches with many channels and blocks", () => {
  const { threads } = pool;
  check({ images: 5, cin: 33, cout: 70, height: 14, width: 14, pad: 1, threads });
  check({ images: 30, cin: 24, cout: 28, height: 7, width: 7, pad: 1, threads });
  check({ images: 1, cin: 300, cout: 40, height: 8, width: 8, pad: 1, threads });
  check({ images: 1, cin: 4, cout: 130, height: 20, width: 40, pad: 1, threads });
});

Deno.test("winograd gives the same bits for any number of threads", () => {
  const shape = { images: 9, cin: 20, cout: 24, height: 15, width: 13, pad: 1 };
  const size = 9 * 24 * 15 * 13;
  const [x, w, y] = [randomBlock(9 * 20 * 15 * 13), randomBlock(24 * 20 * 9), randomBlock(size)];
  const dw = randomBlock(24 * 20 * 9);
  const runs = [1, 2, 5].map((threads) => {
    const operands = { x: x.address, w: w.address, dy: y.address, dw: dw.address };
    const gradient = prepare(planWinogradWeightGradient({ ...shape, threads }), operands);
    gradient.run();
    gradient.free();
    const target = randomBlock(size);
    const forward = prepare(planWinogradForward({ ...shape, threads }), {
      ...operands,
      y: target.address,
    });
    forward.run();
    forward.free();
    const both = [...memory.view(dw.address, 24 * 20 * 9, "f32")];
    return both.concat([...memory.view(target.address, size, "f32")]);
  });
  for (const run of runs) assert(run.every((value, i) => value === runs[0]![i]));
});
