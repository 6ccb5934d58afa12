import { assert, assertEquals } from "@std/assert";
import {
  add,
  and,
  axesOf,
  axis,
  call,
  cast,
  constant,
  eq,
  type Expr,
  idiv,
  imod,
  int,
  le,
  load,
  lt,
  mul,
  ravel,
  select,
  sub,
  unravel,
} from "../../ops/ir/expr.ts";
import type { MapKernel } from "../../ops/ir/kernel.ts";
import { linearize, programKey } from "../../ops/ir/program.ts";
import { countNodes, simplifyIndex, simplifyKernel } from "../../ops/ir/simplify.ts";
import { RULES } from "../../ops/ir/simplify_rules.ts";
import { evaluate, points, Random } from "./helpers.ts";

const I = axis(0, 6), J = axis(1, 8);
const ANY = load(0, "int32", int(0));
const FLAG = load(2, "bool", int(0));
const FLAG2 = load(2, "bool", int(1));
const X = load(3, "float32", int(0)), Y = load(3, "float32", int(1));
const ZERO = constant(0, "float32");

function not(x: Expr): Expr {
  return call("not", [x]);
}
function both(a: Expr, b: Expr): Expr {
  return and(a, b)!;
}
function bool(x: boolean): Expr {
  return constant(x ? 1 : 0, "bool");
}

/** Rule, expression, what becomes of it. */
const EXAMPLES: readonly (readonly [rule: string, before: Expr, after: Expr])[] = [
  [
    "affine sum",
    add(add(J, int(3)), mul(add(I, int(1)), int(8))),
    add(add(mul(I, int(8)), J), int(11)),
  ],
  ["affine sum", sub(add(I, J), I), J],
  ["quotient and remainder meet", add(mul(idiv(ANY, 7), int(7)), imod(ANY, 7)), ANY],
  [
    "quotient and remainder meet",
    add(mul(imod(idiv(ANY, 7), 3), int(14)), mul(imod(ANY, 7), int(2))),
    mul(imod(ANY, 21), int(2)),
  ],
  ["quotient of a quotient", idiv(idiv(ANY, 3), 4), idiv(ANY, 12)],
  ["quotient of divisible terms", idiv(add(mul(I, int(8)), J), 8), I],
  ["quotient of divisible terms", idiv(add(mul(ANY, int(8)), J), 8), ANY],
  ["quotient of divisible terms", idiv(sub(mul(add(I, int(1)), int(8)), add(J, int(1))), 8), I],
  ["quotient by a common factor", idiv(add(mul(J, int(4)), int(3)), 8), idiv(J, 2)],
  ["quotient by a common factor", idiv(add(mul(J, int(4)), imod(I, 4)), 8), idiv(J, 2)],
  ["quotient of a remainder", idiv(imod(ANY, 12), 4), imod(idiv(ANY, 4), 3)],
  ["remainder of divisible terms", imod(add(mul(I, int(8)), J), 8), J],
  ["remainder of a remainder", imod(imod(ANY, 12), 4), imod(ANY, 4)],
  ["remainder by a common factor", imod(mul(J, int(4)), 8), mul(imod(J, 2), int(4))],
  [
    "remainder by a common factor",
    imod(add(mul(J, int(6)), I), 12),
    add(mul(imod(J, 2), int(6)), I),
  ],
  ["extremum by range", call("min", [J, int(7)]), J],
  ["extremum by range", call("max", [J, int(-1)]), J],
  ["absolute value by range", call("abs", [J]), J],
  ["truncated division by range", call("trem", [add(mul(I, int(8)), J), int(8)]), J],
  ["comparison by range", lt(J, int(8)), bool(true)],
  ["comparison by range", le(add(I, int(8)), J), bool(false)],
  ["comparison by range", lt(mul(J, int(4)), int(9)), lt(J, int(3))],
  ["comparison by range", le(add(I, int(2)), add(J, int(2))), lt(I, add(J, int(1)))],
  ["comparison by range", eq(mul(J, int(2)), int(3)), bool(false)],
  ["comparison of a quotient", lt(idiv(axis(0, 20), 4), int(3)), lt(axis(0, 20), int(12))],
  ["inequality by range", call("ne", [J, int(9)]), bool(true)],
  [
    "bounds of one form meet",
    both(both(le(int(1), J), FLAG), le(int(2), J)),
    both(le(int(2), J), FLAG),
  ],
  ["bounds of one form meet", both(lt(J, int(2)), lt(int(3), J)), bool(false)],
  ["bounds of one form meet", both(FLAG, both(lt(J, int(9)), FLAG)), FLAG],
  ["equal alternatives", call("or", [FLAG, call("or", [FLAG2, FLAG])]), call("or", [FLAG, FLAG2])],
  ["negated condition", not(not(FLAG)), FLAG],
  ["negated condition", not(lt(ANY, int(3))), le(int(3), ANY)],
  ["select by a negated condition", select(not(FLAG), X, Y), select(FLAG, Y, X)],
  ["select between equals", select(FLAG, add(I, J), add(J, I)), add(I, J)],
  ["select by a condition already known", select(FLAG, X, select(FLAG, X, Y)), select(FLAG, X, Y)],
  ["select between true and false", select(FLAG, bool(true), bool(false)), FLAG],
  [
    "select of a guarded load",
    select(FLAG, load(3, "float32", J, both(FLAG, FLAG2)), ZERO),
    load(3, "float32", J, both(FLAG, FLAG2)),
  ],
  ["cast of a constant", call("cast", [constant(2.7, "float32")], "int32"), int(2)],
  ["cast of a widening cast", cast(cast(FLAG, "int32"), "float32"), cast(FLAG, "float32")],
  ["comparison of a cast bool", call("ne", [cast(FLAG, "float32"), ZERO]), FLAG],
  [
    "bool of a selected number",
    call("ne", [select(FLAG, constant(1, "float32"), ZERO), ZERO]),
    FLAG,
  ],
];

function text(x: Expr): string {
  return programKey(linearize([x]));
}

for (const [index, [rule, before, after]] of EXAMPLES.entries()) {
  Deno.test(`simplifyIndex() applies "${rule}" (example ${index})`, () => {
    assertEquals(text(simplifyIndex(before)), text(after));
  });
}

Deno.test("simplifyIndex() has an example for every rule", () => {
  const shown = new Set(EXAMPLES.map(([rule]) => rule));
  assertEquals(RULES.map((r) => r.name).filter((name) => !shown.has(name)), []);
});

Deno.test("simplifyIndex() gives coordinates back through ravel and unravel", () => {
  const random = new Random(1);
  for (let round = 0; round < 50; round++) {
    const shape = Array.from({ length: random.int(1, 5) }, () => random.int(1, 9));
    const axes = axesOf(shape);
    const back = unravel(ravel(axes, shape), shape).map(simplifyIndex);
    assertEquals(back.map(text), axes.map(text), `shape ${shape}`);
  }
});

Deno.test("simplifyIndex() gives a flat index back through unravel and ravel", () => {
  const random = new Random(2);
  for (let round = 0; round < 50; round++) {
    const shape = Array.from({ length: random.int(1, 5) }, () => random.int(2, 9));
    const size = shape.reduce((a, b) => a * b, 1);
    for (const flat of [axis(0, size), add(axis(0, 3), mul(axis(1, size), int(3)))]) {
      const back = simplifyIndex(ravel(unravel(imod(flat, size), shape), shape));
      assertEquals(text(back), text(simplifyIndex(imod(flat, size))), `shape ${shape}`);
    }
  }
});

Deno.test("simplifyIndex() uses the bounds that a guard states", () => {
  // Padding by 1 of a 4 × 6 array, seen through a reshape.
  const h = axis(0, 6), w = axis(1, 8);
  const y = sub(h, int(1)), x = sub(w, int(1));
  const guard = [le(int(0), y), lt(y, int(4)), le(int(0), x), lt(x, int(6))].reduce(both);
  const [p, q] = unravel(ravel([y, x], [4, 6]), [4, 6]) as [Expr, Expr];
  const padded = simplifyIndex(load(0, "float32", ravel([p, q], [4, 10]), guard));
  assert(padded.kind === "load");
  assertEquals(text(padded.index), text(sub(add(mul(h, int(10)), w), int(11))));
});

Deno.test("simplifyIndex() keeps the guard of a load inside a guarded index", () => {
  const guard = le(int(1), J);
  const place = load(0, "int32", sub(J, int(1)), guard);
  const after = simplifyIndex(load(3, "float32", place, guard));
  assert(after.kind === "load" && after.index.kind === "load");
  assert(after.index.guard !== undefined);
});

/** A random expression; quotients of what may be negative are kept out by `abs`. */
function randomIndex(random: Random, shape: readonly number[], depth: number): Expr {
  if (depth === 0) {
    return random.uniform() < 0.75
      ? axesOf(shape)[random.int(0, shape.length - 1)]!
      : int(random.int(-4, 12));
  }
  const sub1 = (): Expr => randomIndex(random, shape, depth - 1);
  switch (random.int(0, 11)) {
    case 0:
    case 1:
      return add(sub1(), sub1());
    case 2:
      return sub(sub1(), sub1());
    case 3:
    case 4:
      return mul(sub1(), int(random.pick([1, 2, 3, 4, 6, 8, 12, -2])));
    case 5:
    case 6:
      return idiv(shifted(sub1()), random.pick([2, 3, 4, 6, 8, 12]));
    case 7:
    case 8:
      return imod(shifted(sub1()), random.pick([2, 3, 4, 6, 8, 12]));
    case 9:
      return call(random.pick(["min", "max"]), [sub1(), sub1()]);
    case 10:
      return select(randomCondition(random, shape, depth - 1), sub1(), sub1());
    default:
      return call("abs", [sub1()]);
  }
  function shifted(x: Expr): Expr {
    return random.uniform() < 0.5 ? call("max", [x, int(0)]) : add(x, int(4000 * 12));
  }
}

function randomCondition(random: Random, shape: readonly number[], depth: number): Expr {
  const side = (): Expr => randomIndex(random, shape, depth);
  const choice = random.int(0, depth > 0 ? 6 : 3);
  if (choice <= 3) return call((["lt", "le", "eq", "ne"] as const)[choice]!, [side(), side()]);
  if (choice === 4) return not(randomCondition(random, shape, depth - 1));
  return call(choice === 5 ? "and" : "or", [
    randomCondition(random, shape, depth - 1),
    randomCondition(random, shape, depth - 1),
  ]);
}

Deno.test("simplifyIndex() keeps the values of random expressions", () => {
  for (let seed = 1; seed <= 1500; seed++) {
    const random = new Random(seed);
    const shape = Array.from({ length: random.int(1, 3) }, () => random.int(1, 6));
    const before = seed % 3 === 0
      ? randomCondition(random, shape, 3)
      : randomIndex(random, shape, 4);
    const after = simplifyIndex(before);
    for (const point of points(shape)) {
      const env = { axes: point };
      assertEquals(evaluate(after, env), evaluate(before, env), `seed ${seed} at ${point}`);
    }
    assertEquals(text(simplifyIndex(after)), text(after), `seed ${seed}: not stable`);
  }
});

Deno.test("simplifyIndex() keeps guarded loads right where the guard is true", () => {
  let read = 0;
  for (let seed = 1; seed <= 1500; seed++) {
    const random = new Random(seed);
    const shape = Array.from({ length: random.int(1, 3) }, () => random.int(1, 7));
    // Views in a row, as lowering makes them: pad (bounds in the guard), reshape, stride, flip.
    let coordinates = axesOf(shape), sizes = shape;
    let guard: Expr | undefined;
    for (let round = random.int(1, 4); round > 0; round--) {
      const d = random.int(0, sizes.length - 1);
      const x = coordinates[d]!, size = sizes[d]!;
      const change = (y: Expr, n: number): void => {
        coordinates = coordinates.with(d, y);
        sizes = sizes.with(d, n);
      };
      switch (random.int(0, 3)) {
        case 0: {
          const before = random.int(0, 1), inner = Math.max(size - 1 - before, 1);
          const y = sub(x, int(before));
          guard = and(guard, both(le(int(0), y), lt(y, int(inner))));
          change(y, inner);
          break;
        }
        case 1: {
          const total = sizes.reduce((a, b) => a * b, 1);
          const factor = random.pick([1, 2, 3].filter((f) => total % f === 0));
          const flat = ravel(coordinates, sizes);
          sizes = [total / factor, factor];
          coordinates = unravel(flat, sizes);
          break;
        }
        case 2:
          change(add(mul(x, int(2)), int(1)), size * 2);
          break;
        default:
          change(sub(int(size - 1), x), size);
      }
    }
    const total = sizes.reduce((a, b) => a * b, 1);
    const input = Array.from({ length: total }, (_, i) => i + 1);
    const before = load(0, "int32", ravel(coordinates, sizes), guard);
    const after = simplifyIndex(before);
    for (const point of points(shape)) {
      const env = { axes: point, inputs: [input] };
      const expected = evaluate(before, env);
      assertEquals(evaluate(after, env), expected, `seed ${seed} at ${point}`);
      if (expected > 0) read++;
    }
  }
  assert(read > 10_000, `${read}`);
});

Deno.test("simplifyKernel() leaves float arithmetic as written", () => {
  const x = load(0, "float32", axis(0, 4));
  const value = sub(add(x, constant(0, "float32")), mul(x, constant(0, "float32")));
  const kernel: MapKernel = {
    kind: "map",
    shape: [4],
    inputs: [{ dtype: "float32" }],
    outputs: [{ dtype: "float32", value, index: undefined }],
  };
  const after = simplifyKernel(kernel);
  assertEquals(text(after.outputs[0]!.value), text(value));
});

Deno.test("simplifyKernel() is fast enough for a training step", () => {
  const shape = [32, 24, 24, 16];
  const round = () => {
    const start = performance.now();
    for (let k = 0; k < 50; k++) {
      const [n, h, w, c] = unravel(ravel(axesOf(shape), shape), shape) as [Expr, Expr, Expr, Expr];
      const y = sub(add(mul(h, int(2)), imod(c, 3)), int(1)), x = sub(w, int(1));
      const guard = [le(int(0), y), lt(y, int(48)), le(int(0), x), lt(x, int(24))].reduce(both);
      const index = ravel([n, c, y, x], [32, 16, 48, 24]);
      const cut = ravel(unravel(index, [32 * 16, 48 * 24]), [512, 1152]);
      const kernel: MapKernel = {
        kind: "map",
        shape,
        inputs: [{ dtype: "float32" }],
        outputs: [{ dtype: "float32", value: load(0, "float32", cut, guard), index: undefined }],
      };
      assert(countNodes([simplifyKernel(kernel).outputs[0]!.value]) < 40);
    }
    return performance.now() - start;
  };
  // The fastest of six, so that other work on the machine does not count. Around 10 ms.
  const milliseconds = Math.min(...Array.from({ length: 6 }, round));
  assert(milliseconds < 60, `${milliseconds} ms`);
});
