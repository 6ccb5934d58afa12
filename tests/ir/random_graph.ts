/** Random graphs for property tests. */
import {
  acc,
  add,
  and,
  axesOf,
  axis,
  call,
  cast,
  constant,
  type Expr,
  imod,
  int,
  le,
  load,
  lt,
  mul,
  ravel,
  select,
  sub,
} from "../../ops/ir/expr.ts";
import type { Graph, Value } from "../../ops/ir/graph.ts";
import { sizeOf } from "../../ops/ir/kernel.ts";
import { type Contents, GraphBuilder } from "./graphs.ts";
import type { Random } from "./helpers.ts";

/** A graph with contents for its external arrays. */
export interface RandomGraph {
  readonly graph: Graph;
  readonly contents: Contents;
}

const F = "float64";

function number(x: number): Expr {
  return constant(x, F);
}

function relu(x: Expr): Expr {
  return call("max", [x, number(0)]);
}

const UNARY: readonly ((x: Expr) => Expr)[] = [
  (x) => add(x, number(0.5)),
  (x) => mul(x, number(0.25)),
  relu,
  (x) => call("tanh", [x]),
  (x) => call("exp", [call("min", [x, number(1)])]),
  (x) => select(lt(number(0), x), x, mul(x, number(0.1))),
  (x) => cast(lt(number(0), x), F),
];

const BINARY: readonly ((x: Expr, y: Expr) => Expr)[] = [
  add,
  sub,
  mul,
  (x, y) => call("max", [x, y]),
  (x, y) => select(lt(x, y), x, mul(y, number(0.5))),
];

/** Builds random graphs: maps, views, reductions, contractions, scans, scatters, packs, updates. */
class Maker {
  readonly #random: Random;
  readonly #builder = new GraphBuilder();
  readonly #values: Value[] = [];
  readonly #indices: Value[] = [];
  readonly #contents = new Map<Value, readonly number[]>();

  constructor(random: Random) {
    this.#random = random;
  }

  make(): RandomGraph {
    const random = this.#random;
    const externals = random.int(2, 4);
    const states: Value[] = [];
    for (let i = 0; i < externals; i++) {
      const shape = Array.from({ length: random.int(1, 3) }, () => random.int(1, 4));
      const kind = random.int(0, 1);
      const value = kind ? this.#builder.state(shape, "s", F) : this.#builder.input(shape, "x", F);
      if (kind) states.push(value);
      this.#fill(value, () => Math.round(random.uniform() * 16 - 8) / 4);
      // States of equal size, so that they can swap.
      if (kind && random.uniform() < 0.5) {
        const twin = this.#builder.state(shape, "s", F);
        states.push(twin);
        this.#fill(twin, () => random.int(-4, 4));
      }
    }
    const ids = this.#builder.input([random.int(1, 5)], "ids", "int32");
    this.#contents.set(ids, Array.from({ length: sizeOf(ids.shape) }, () => random.int(0, 3)));
    this.#indices.push(ids);
    const count = random.int(3, 16);
    for (let i = 0; i < count; i++) {
      for (const value of this.#step()) if (sizeOf(value.shape) <= 200) this.#values.push(value);
    }
    for (const state of states) {
      if (random.uniform() < 0.3) continue;
      const size = sizeOf(state.shape);
      const fitting = this.#values.filter((v) => sizeOf(v.shape) === size);
      const value = random.uniform() < 0.5
        ? this.#recent(fitting)
        : this.#builder.map("update", [size], [state, this.#recent(fitting)], ([i], at) =>
          sub(
            at(0, unflat(i!, state.shape)),
            mul(number(0.5), at(1, unflat(i!, this.#shapeOf(fitting)))),
          ));
      this.#builder.update(state, value);
    }
    const results = Array.from({ length: random.int(1, 4) }, () => this.#recent(this.#values));
    return { graph: this.#builder.finish(results), contents: this.#contents };
  }

  #last: Value | undefined;

  #shapeOf(_: readonly Value[]): readonly number[] {
    return this.#last!.shape;
  }

  /** Later values more often than early ones. */
  #recent(values: readonly Value[]): Value {
    const u = this.#random.uniform();
    this.#last = values[Math.min(values.length - 1, Math.floor(Math.sqrt(u) * values.length))]!;
    return this.#last;
  }

  #fill(value: Value, draw: () => number): void {
    this.#contents.set(value, Array.from({ length: sizeOf(value.shape) }, draw));
    this.#values.push(value);
  }

  #step(): Value[] {
    const random = this.#random, b = this.#builder;
    const x = this.#recent(this.#values);
    if (x.shape.length === 0) return [b.reshape(x, [1])];
    switch (random.int(0, 15)) {
      case 0:
      case 1:
        return [b.zip("unary", [x], random.pick(UNARY))];
      case 2:
      case 3:
      case 4: {
        const fitting = this.#values.filter((v) => broadcasts(v.shape, x.shape));
        return [b.zip("binary", [x, this.#recent(fitting)], random.pick(BINARY))];
      }
      case 5:
        return [this.#view(x)];
      case 6:
        return [this.#view(x)];
      case 7:
      case 8: {
        const axes = x.shape.map((_, d) => d).filter(() => random.uniform() < 0.5);
        if (axes.length === 0) axes.push(0);
        const op = random.pick(["sum", "max", "min"] as const);
        const y = b.reduce(op, op, x, axes);
        const kept = x.shape.map((s, d) => axes.includes(d) ? 1 : s);
        if (random.uniform() < 0.4) return [y];
        // What a normalization does next.
        const wide = b.reshape(y, kept);
        return [y, b.zip("normalize", [x, wide], random.pick(BINARY))];
      }
      case 9: {
        const rows = b.reshape(x, [x.shape[0]!, sizeOf(x.shape) / x.shape[0]!]);
        const other = this.#recent(this.#values.filter((v) => v.shape[0] === x.shape[0]));
        const columns = b.reshape(other, [x.shape[0]!, sizeOf(other.shape) / x.shape[0]!]);
        return [b.matmul(rows, columns, { a: true })];
      }
      case 10:
        return [this.#scan(x)];
      case 11:
        return [this.#scatter(x)];
      case 12:
        return this.#pack(x);
      case 13:
        return [this.#gather(x)];
      case 14: {
        // Of a part of an array, as a weight in an arena.
        const rows = x.shape[0]!, from = random.int(0, rows - 1);
        const part = b.map(
          "part",
          [rows - from, ...x.shape.slice(1)],
          [x],
          ([i, ...rest], at) => at(0, [add(i!, int(from)), ...rest]),
        );
        return [b.recurrence("recurrence", part, (h, y) => add(mul(h, number(0.5)), y))];
      }
      default:
        return [this.#softmax(x)];
    }
  }

  #softmax(x: Value): Value {
    const b = this.#builder, d = x.shape.length - 1;
    const kept = x.shape.map((s, i) => i === d ? 1 : s);
    const top = b.reshape(b.reduce("max", "max", x, [d]), kept);
    const e = b.zip("exp", [x, top], (p, q) => call("exp", [sub(p, q)]));
    return b.zip(
      "div",
      [e, b.reshape(b.reduce("sum", "sum", e, [d]), kept)],
      (p, q) => call("div", [p, q]),
    );
  }

  #view(x: Value): Value {
    const random = this.#random, b = this.#builder;
    const d = random.int(0, x.shape.length - 1), size = x.shape[d]!;
    switch (random.int(0, 5)) {
      case 0: {
        const order = x.shape.map((_, i) => i);
        for (let i = order.length - 1; i > 0; i--) {
          const j = random.int(0, i);
          [order[i], order[j]] = [order[j]!, order[i]!];
        }
        return b.permute(x, order);
      }
      case 1: {
        const total = sizeOf(x.shape);
        const first = random.pick([1, 2, 3, 4].filter((f) => total % f === 0));
        return b.reshape(x, random.uniform() < 0.3 ? [total] : [first, total / first]);
      }
      case 2: // flip
        return b.map(
          "flip",
          x.shape,
          [x],
          (axes, at) => at(0, axes.with(d, sub(int(size - 1), axes[d]!))),
        );
      case 3: // pad
        return b.map("pad", x.shape.with(d, size + 2), [x], (axes) => {
          const y = sub(axes[d]!, int(1));
          const guard = and(le(int(0), y), lt(y, int(size)));
          return load(0, F, ravel(axes.with(d, y), x.shape), guard);
        });
      case 4: { // slice with a step
        const count = Math.ceil(size / 2);
        return b.map(
          "slice",
          x.shape.with(d, count),
          [x],
          (axes, at) => at(0, axes.with(d, mul(axes[d]!, int(2)))),
        );
      }
      default: // repeat
        return b.map(
          "repeat",
          [...x.shape.slice(0, d), 2, ...x.shape.slice(d)],
          [x],
          (axes, at) => at(0, [...axes.slice(0, d), ...axes.slice(d + 1)]),
        );
    }
  }

  #scan(x: Value): Value {
    const d = this.#random.int(0, x.shape.length - 1);
    const body = load(0, F, ravel(axesOf(x.shape), x.shape));
    return this.#builder.kernel(
      {
        kind: "scan",
        shape: x.shape,
        axis: d,
        op: this.#random.pick(["sum", "max"]),
        body,
        inputs: [{ dtype: F }],
        outputs: [{ dtype: F, value: acc(0, F), index: undefined }],
      },
      [x],
      [x.shape],
      "scan",
    )[0]!;
  }

  #scatter(x: Value): Value {
    const size = this.#random.int(1, 4), n = sizeOf(x.shape);
    const ids = this.#random.pick(this.#indices);
    const point = n === 1 ? int(0) : axis(0, n);
    return this.#builder.kernel(
      {
        kind: "scatter",
        size,
        init: number(0),
        shape: [n],
        parallel: [],
        op: this.#random.pick(["add", "max"]),
        target: imod(load(0, "int32", imod(point, sizeOf(ids.shape))), size),
        value: load(1, F, point),
        guard: undefined,
        inputs: [{ dtype: "int32" }, { dtype: F }],
        outputs: [{ dtype: F, value: number(0), index: undefined }],
      },
      [ids, x],
      [[size]],
      "scatter",
    )[0]!;
  }

  #gather(x: Value): Value {
    const ids = this.#random.pick(this.#indices);
    const rows = x.shape[0]!;
    return this.#builder.map(
      "gather",
      [sizeOf(ids.shape), ...x.shape.slice(1)],
      [ids, x],
      ([i, ...rest], at) => at(1, [imod(at(0, [i!]), rows), ...rest]),
    );
  }

  #pack(x: Value): Value[] {
    const parts = [
      x,
      ...Array.from({ length: this.#random.int(0, 2) }, () => this.#recent(this.#values)),
    ];
    const offsets: number[] = [];
    let size = 0;
    for (const part of parts) {
      offsets.push(size);
      size += sizeOf(part.shape);
    }
    return [this.#builder.pack(parts, offsets, size)];
  }
}

function unflat(flat: Expr, shape: readonly number[]): Expr[] {
  // Coordinates of a flat position; the simplifier makes it flat again.
  const coordinates: Expr[] = [];
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    coordinates[d] = imod(call("idiv", [flat, int(stride)]), shape[d]!);
    stride *= shape[d]!;
  }
  return coordinates;
}

function broadcasts(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 1; i <= Math.min(a.length, b.length); i++) {
    const p = a[a.length - i]!, q = b[b.length - i]!;
    if (p !== q && p !== 1 && q !== 1) return false;
  }
  return true;
}

/** A random graph. */
export function randomGraph(random: Random): RandomGraph {
  return new Maker(random).make();
}
