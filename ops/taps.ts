/**
 * Sparse linear maps along one axis: each output position is a weighted sum of a few input positions.
 * Interpolation and padding by reflection or wrapping are tables of such taps; the gradient is the
 * same map with the table transposed.
 */
import { differentiable } from "./autograd.ts";
import type { Backend } from "./backends/backend.ts";
import { withoutTrace } from "./compile/trace.ts";
import { fromValues } from "./host_values.ts";
import { apply, defineOp } from "./define.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

/** One term: weight times the element at a position. */
export interface Tap {
  readonly at: number;
  readonly weight: number;
}

/** For each output position, its taps. */
export interface TapTable {
  /** Size of the input axis. */
  readonly input: number;
  readonly rows: readonly (readonly Tap[])[];
}

/** More taps than this become a loop in the kernel. */
const UNROLLED_TAPS = 8;

const TAPS = defineOp<{ axis: number; output: number; width: number }>({
  name: "taps",
  lower([x, index, weight], { axis, output, width }) {
    const { dtype } = x!;
    const shape = x!.shape.map((s, d) => d === axis ? output : s);
    const axes = e.axesOf(shape);
    const term = (t: Expr): Expr => {
      const at = index!.at([axes[axis]!, t]);
      const value = x!.at(axes.map((a, d) => d === axis ? at : a));
      return weight ? e.mul(value, weight.at([axes[axis]!, t])) : value;
    };
    const inputs = [x!, index!, ...(weight ? [weight] : [])].map((o) => ({ dtype: o.dtype }));
    if (width <= UNROLLED_TAPS) {
      let value = term(e.int(0));
      for (let t = 1; t < width; t++) value = e.add(value, term(e.int(t)));
      const outputs = [{ dtype, value, index: undefined }];
      return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
    }
    const body = term(e.axis(shape.length, width));
    const reductions = [{ op: "sum" as const, body, dtype }];
    const outputs = [{ dtype, value: e.acc(0, dtype), index: undefined }];
    return {
      kernel: { kind: "reduce", shape, reduce: [width], inputs, reductions, outputs },
      shapes: [shape],
    };
  },
});

interface DeviceTable {
  readonly output: number;
  readonly width: number;
  readonly index: Tensor;
  readonly weight: Tensor | undefined;
}

const tables = new WeakMap<TapTable, Map<string, DeviceTable>>();

function onDevice(table: TapTable, backend: Backend, dtype: DType): DeviceTable {
  const known = tables.get(table) ?? new Map<string, DeviceTable>();
  tables.set(table, known);
  const key = `${backend.name}:${dtype}`;
  const found = known.get(key);
  if (found?.index.storage.buffer) return found;
  const output = table.rows.length;
  const width = Math.max(1, ...table.rows.map((row) => row.length));
  const index = new Int32Array(output * width), weight = new Float64Array(output * width);
  for (const [o, row] of table.rows.entries()) {
    for (const [t, tap] of row.entries()) {
      index[o * width + t] = tap.at;
      weight[o * width + t] = tap.weight;
    }
  }
  const made = withoutTrace(() => ({
    output,
    width,
    index: fromValues(index, [output, width], "int32", backend),
    weight: weight.every((w) => w === 1)
      ? undefined
      : fromValues(weight, [output, width], dtype, backend),
  }));
  known.set(key, made);
  return made;
}

const transposes = new WeakMap<TapTable, TapTable>();

function transposed(table: TapTable): TapTable {
  const known = transposes.get(table);
  if (known) return known;
  const rows: Tap[][] = Array.from({ length: table.input }, () => []);
  for (const [o, row] of table.rows.entries()) {
    for (const tap of row) rows[tap.at]!.push({ at: o, weight: tap.weight });
  }
  const made = { input: table.rows.length, rows };
  transposes.set(table, made);
  transposes.set(made, table);
  return made;
}

/** Applies a table along an axis. */
export function applyTaps(x: Tensor, axis: number, table: TapTable): Tensor {
  const run = () => {
    const { index, weight, output, width } = onDevice(table, x.storage.backend, x.dtype);
    const inputs = weight ? [x, index, weight] : [x, index];
    return apply(TAPS, inputs, { axis, output, width });
  };
  return differentiable("taps", axis, [x], run, (c) => [
    applyTaps(c.grad(), c.attributes, transposed(table)),
  ], "none");
}

const cache = new Map<string, TapTable>();
const CACHE_LIMIT = 256;

/** A table by its description, made once. */
export function cachedTable(key: string, make: () => TapTable): TapTable {
  let table = cache.get(key);
  if (!table) {
    if (cache.size >= CACHE_LIMIT) cache.clear();
    table = make();
    cache.set(key, table);
  }
  return table;
}
