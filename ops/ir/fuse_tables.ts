/**
 * Products with rows that were looked up in a short table: the table is multiplied, not the rows.
 *
 * A language model over characters looks up thousands of rows in a table of 65 and multiplies each by
 * the weight of its first layer, forward and twice backward. With `R` the 0/1 matrix that picks rows:
 *
 * ```text
 * (R T) W    = R (T W)       each row of the table once, then looked up
 * (R T)ᵀ dY  = Tᵀ (Rᵀ dY)    the gradient of the weight
 * Rᵀ (dY Wᵀ) = (Rᵀ dY) Wᵀ    the gradient of the table
 * ```
 *
 * `Rᵀ dY` is a scatter that both gradients share. Rows that nobody looks up take no part, so that a
 * NaN in one of them goes no further than before.
 */
import type { DType } from "./dtype.ts";
import {
  acc,
  add,
  axesOf,
  axis,
  constant,
  type Expr,
  int,
  load,
  lt,
  ravel,
  rewrite,
  unravel,
  visit,
} from "./expr.ts";
import type { KernelNode, Value } from "./graph.ts";
import { type ContractKernel, type KernelOutput, type ScatterKernel, sizeOf } from "./kernel.ts";
import type { FusionGraph } from "./fuse_graph.ts";
import { SameExpr, valueAt } from "./fuse_kernel.ts";
import type { FusionLog } from "./fuse_rules.ts";
import { loadsOf } from "./plan_cost.ts";
import { conjunctsOf } from "./simplify_bounds.ts";
import { linearOf } from "./simplify_linear.ts";

/** Look-ups per row of the table: fewer save too little, more would make a scatter's sums too long. */
const LOOKUPS_PER_ROW = { min: 4, max: 128 } as const;

/** Length of a row from which multiplying it costs more than adding it up. */
const LEAST_WIDTH = 48;

/** Which row of a table each point looks up. */
interface Position {
  /** The row; loads are numbered as in `inputs`. */
  readonly row: Expr;
  /** Whether there is such a row. */
  readonly guard: Expr;
  readonly inputs: readonly Value[];
  /** Rows of the table. */
  readonly rows: number;
}

/** An operand that is looked up. */
interface Lookup extends Position {
  readonly table: Value;
  /** Element at which the table begins in its array. */
  readonly offset: number;
}

/** Moves products from rows to tables, wherever that is less work; whether anything changed. */
export function multiplyTables(graph: FusionGraph, log: FusionLog): boolean {
  const same = new SameExpr();
  let changed = false;
  for (const node of graph.kernelNodes) {
    const { label } = node;
    const moved = productOfRows(graph, node, same) || gradientOfWeight(graph, node, same) ||
      gradientOfTable(graph, node, same);
    if (moved) log("table", `${label}: multiplies a table instead of the rows looked up in it`);
    changed ||= moved;
  }
  return changed;
}

/** `Σ_k T[r(m), k] · b[k, n]`: the product of the table, and a map that looks its rows up. */
function productOfRows(graph: FusionGraph, node: KernelNode, same: SameExpr): boolean {
  const kernel = plainProduct(node);
  if (kernel?.k.length !== 1) return false;
  const { m, n, dtype } = kernel, width = kernel.k[0]!;
  const lookup = lookupOf(node, kernel.a, axis(m.length + n.length, width), same);
  if (!lookup || !worthwhile(lookup, width, sizeOf(m))) return false;
  const { rows } = lookup;

  const factors = new Inputs();
  const k = axis(1 + n.length, width);
  const columns = renamed(range(m.length, n.length + 1), [...axesOf(n, 1), k]);
  const product = {
    m: [rows],
    n,
    k: [width],
    a: tableRow(factors, lookup, axis(0, rows), k),
    b: factors.take(kernel.b, node.inputs, columns),
    dtype,
  };
  const table = graph.add(contraction(product, factors), factors.values, [rows, ...n], node);

  const inputs = new Inputs();
  const axes = axesOf([...m, ...n]);
  const { row, guard } = inputs.position(lookup, axes);
  const place = ravel([row, ...axes.slice(m.length)], [rows, ...n]);
  const outputs = [{ ...kernel.outputs[0]!, value: inputs.load(table, place, guard) }];
  const map = { kind: "map" as const, shape: [...m, ...n], inputs: inputs.dtypes, outputs };
  graph.change(node, map, inputs.values, node.outputs);
  return true;
}

/** `Σ_k T[r(k), m] · b[k, n]`: what belongs to a row is added up, then multiplied by it. */
function gradientOfWeight(graph: FusionGraph, node: KernelNode, same: SameExpr): boolean {
  const kernel = plainProduct(node);
  if (kernel?.m.length !== 1) return false;
  const { n, k, dtype } = kernel, width = kernel.m[0]!;
  const lookup = lookupOf(node, kernel.a, axis(0, width), same);
  if (!lookup || !worthwhile(lookup, width, sizeOf(k))) return false;
  const { rows } = lookup;
  const points = range(1 + n.length, k.length), columns = range(1, n.length);
  const sums = scatterRows(graph, node, lookup, {
    points,
    columns,
    shape: [...k, ...n],
    op: "add",
    value: kernel.b,
    inputs: node.inputs,
  });
  const used = scatterRows(graph, node, lookup, {
    points,
    columns: [],
    shape: k,
    op: "set",
    value: int(1),
    inputs: [],
  });
  const inputs = new Inputs();
  const row = axis(1 + n.length, rows);
  const product = {
    m: [width],
    n,
    k: [rows],
    a: tableRow(inputs, lookup, row, axis(0, width), lt(int(0), inputs.load(used, row))),
    b: inputs.load(sums, ravel([row, ...axesOf(n, 1)], [rows, ...n])),
    dtype,
    index: kernel.outputs[0]!.index,
  };
  graph.change(node, contraction(product, inputs), inputs.values, node.outputs);
  return true;
}

/** Rows of a product that are added up by position: rows of its factor are added up instead. */
function gradientOfTable(graph: FusionGraph, node: KernelNode, same: SameExpr): boolean {
  const found = addedProduct(graph, node, same);
  if (!found) return false;
  const { producer, product, position, points } = found;
  const { m, k, dtype } = product, width = product.n[0]!, { rows } = position;
  const columns = range(m.length + 1, k.length);
  const sums = scatterRows(graph, node, position, {
    points,
    columns,
    shape: [...m, ...k],
    op: "add",
    value: product.a,
    inputs: producer.inputs,
    valuePoints: range(0, m.length),
  });
  const inputs = new Inputs();
  const inner = [axis(1, width), ...axesOf(k, 2)];
  const moved = {
    m: [rows],
    n: [width],
    k,
    a: inputs.load(sums, ravel([axis(0, rows), ...inner.slice(1)], [rows, ...k])),
    b: inputs.take(product.b, producer.inputs, renamed([m.length, ...columns], inner)),
    dtype,
  };
  graph.change(node, contraction(moved, inputs), inputs.values, node.outputs);
  return true;
}

/** A scatter that adds up rows of a product which nobody else reads. */
function addedProduct(graph: FusionGraph, node: KernelNode, same: SameExpr): {
  producer: KernelNode;
  product: ContractKernel;
  position: Position;
  /** Axis of the scatter for each m axis of the product. */
  points: number[];
} | undefined {
  const { kernel } = node;
  if (kernel.kind !== "scatter" || kernel.op !== "add" || !kernel.guard) return undefined;
  const { init, value, shape } = kernel;
  if (init?.kind !== "const" || init.value !== 0) return undefined;
  if (value.kind !== "load" || value.guard) return undefined;
  const factor = node.inputs[value.input]!, { producer } = factor;
  if (producer?.kind !== "kernel" || graph.isPinned(factor) || graph.usesOf(factor).size > 1) {
    return undefined;
  }
  const product = plainProduct(producer);
  if (product?.n.length !== 1) return undefined;
  const width = product.n[0]!, inner = shape.length - 1;
  const guard = same.of(kernel.guard);
  const place = placeOf(same.of(kernel.target), guard, same.of(axis(inner, width)));
  if (place?.offset !== 0 || place.rows * width !== kernel.size) return undefined;
  const position = { ...place, guard, inputs: node.inputs };
  const axes = sameAxes(product.outputs[0]!.index!, [...product.m, width], value.index, shape);
  if (axes?.at(-1) !== inner || !worthwhile(position, width, sizeOf(product.m))) return undefined;
  return { producer, product, position, points: axes.slice(0, -1) };
}

/** A product before anything was fused into it, of one batch: `Σ_k a · b`. */
function plainProduct({ kernel }: KernelNode): ContractKernel | undefined {
  if (kernel.kind !== "contract" || kernel.batch.length > 0 || kernel.convolution) return undefined;
  if (kernel.outputs.length > 1 || kernel.outputs[0]!.value.kind !== "acc") return undefined;
  return kernel.dtype === "int32" ? undefined : kernel;
}

/** `operand` as a row of a table along the axis `inner`, looked up by the kernel's other axes. */
function lookupOf(
  node: KernelNode,
  operand: Expr,
  inner: Expr,
  same: SameExpr,
): Lookup | undefined {
  if (operand.kind !== "load" || operand.guard) return undefined;
  const value = node.inputs[operand.input]!, { producer } = value;
  if (producer?.kind !== "kernel" || producer.kernel.kind !== "map") return undefined;
  const { kernel, inputs } = producer;
  const output = kernel.outputs[producer.outputs.indexOf(value)]!;
  if (output.index) return undefined;
  const read = same.of(valueAt(output, unravel(operand.index, kernel.shape), undefined, 0));
  if (read.kind !== "load" || !read.guard) return undefined;
  const place = placeOf(read.index, read.guard, same.of(inner));
  return place && { ...place, guard: read.guard, table: inputs[read.input]!, inputs };
}

/** Takes `row · width + inner + offset` apart; the guard has to say how many rows there are. */
function placeOf(
  index: Expr,
  guard: Expr,
  inner: Expr,
): Pick<Lookup, "row" | "offset" | "rows"> | undefined {
  if (inner.kind !== "axis") return undefined;
  const { terms, constant: offset } = linearOf(index);
  const along = terms.find(({ atom }) => atom === inner);
  const [other, ...more] = terms.filter((term) => term !== along);
  if (along?.coefficient !== 1 || other?.coefficient !== inner.size || more.length > 0) {
    return undefined;
  }
  const { atom: row } = other;
  if (loadsOf([row]).length === 0 || axesIn([row, guard]).has(inner.axis)) return undefined;
  for (const part of conjunctsOf(guard)) {
    const [low, high] = part.kind === "call" && part.op === "lt" ? part.args : [];
    if (low === row && high?.kind === "const") return { row, offset, rows: high.value };
  }
  return undefined;
}

function axesIn(roots: readonly Expr[]): Set<number> {
  const found = new Set<number>();
  visit(roots, (x) => void (x.kind === "axis" && found.add(x.axis)));
  return found;
}

function worthwhile({ rows }: Position, width: number, points: number): boolean {
  const { min, max } = LOOKUPS_PER_ROW;
  return width >= LEAST_WIDTH && points >= min * rows && points <= max * rows;
}

/**
 * For each axis of a writer the axis of a reader that walks the same array in the same steps;
 * undefined where one has none.
 */
function sameAxes(
  written: Expr,
  shape: readonly number[],
  read: Expr,
  readShape: readonly number[],
): number[] | undefined {
  const same = new SameExpr();
  const writer = linearOf(same.of(written)), reader = linearOf(same.of(read));
  if (writer.constant !== 0 || reader.constant !== 0) return undefined;
  if (shape.length !== readShape.length || shape.includes(1)) return undefined;
  const axes = shape.map((size, d) => {
    const step = writer.terms.find(({ atom }) => atom.kind === "axis" && atom.axis === d);
    const other = reader.terms.find(({ coefficient }) => coefficient === step?.coefficient);
    return other?.atom.kind === "axis" && other.atom.size === size ? other.atom.axis : -1;
  });
  return axes.includes(-1) ? undefined : axes;
}

/** What is put into the rows of an array by the positions that points look up. */
interface Scattered {
  /** Axes of the points as the position has them, in the order of `shape`. */
  readonly points: readonly number[];
  /** Axes of a row, in the order of `shape` after those of the points. */
  readonly columns: readonly number[];
  readonly shape: readonly number[];
  readonly op: "add" | "set";
  readonly value: Expr;
  /** Axes of the points as the value has them, where they are others. */
  readonly valuePoints?: readonly number[];
  readonly inputs: readonly Value[];
}

/** `S[v, …]` from the values of the points that look up row v; 0 where there are none. */
function scatterRows(
  graph: FusionGraph,
  node: KernelNode,
  position: Position,
  { points, columns, shape, op, value, inputs, valuePoints = points }: Scattered,
): Value {
  const { rows } = position;
  const axes = axesOf(shape), inner = shape.slice(points.length);
  const operands = new Inputs();
  const { row, guard } = operands.position(position, renamed(points, axes));
  const { dtype } = value;
  const kernel: ScatterKernel = {
    kind: "scatter",
    size: rows * sizeOf(inner),
    init: constant(0, dtype),
    shape,
    parallel: range(points.length, inner.length),
    op,
    target: ravel([row, ...axes.slice(points.length)], [rows, ...inner]),
    value: operands.take(value, inputs, renamed([...valuePoints, ...columns], axes)),
    guard,
    inputs: operands.dtypes,
    outputs: [{ dtype, value: constant(0, dtype), index: undefined }],
  };
  return graph.add(kernel, operands.values, [rows, ...inner], node);
}

/** Sizes and factors of a product. */
type Product = Pick<ContractKernel, "m" | "n" | "k" | "a" | "b" | "dtype"> & {
  /** Where results go. @default row-major over m and n */
  readonly index?: KernelOutput["index"];
};

function contraction({ index, ...sizes }: Product, inputs: Inputs): ContractKernel {
  const { m, n, dtype } = sizes, shape = [...m, ...n];
  const place = index ?? ravel(axesOf(shape), shape);
  return {
    kind: "contract",
    batch: [],
    ...sizes,
    inputs: inputs.dtypes,
    outputs: [{ dtype, value: acc(0, dtype), index: place }],
    convolution: undefined,
  };
}

/** An element of a table. */
function tableRow(
  inputs: Inputs,
  { table, offset, rows }: Lookup,
  row: Expr,
  inner: Expr,
  guard?: Expr,
): Expr {
  const width = inner.kind === "axis" ? inner.size : 1;
  return inputs.load(table, add(ravel([row, inner], [rows, width]), int(offset)), guard);
}

/** Inputs of a kernel that is put together from parts of others. */
class Inputs {
  readonly values: Value[] = [];

  /** Their types. */
  get dtypes(): { dtype: DType }[] {
    return this.values.map(({ dtype }) => ({ dtype }));
  }

  /** An element of a value. */
  load(value: Value, index: Expr, guard?: Expr): Expr {
    const known = this.values.indexOf(value);
    const slot = known < 0 ? this.values.push(value) - 1 : known;
    return load(slot, value.dtype, index, guard);
  }

  /** An expression over other inputs and axes. */
  take(x: Expr, inputs: readonly Value[], axes: readonly Expr[]): Expr {
    return rewrite(x, {
      axis: (a) => axes[a.axis]!,
      load: (l, index, guard) => this.load(inputs[l.input]!, index, guard),
    });
  }

  /** Row and guard of a position over other axes. */
  position({ row, guard, inputs }: Position, axes: readonly Expr[]): { row: Expr; guard: Expr } {
    return { row: this.take(row, inputs, axes), guard: this.take(guard, inputs, axes) };
  }
}

/** Coordinates by axis number: `to[i]` for axis `from[i]`. */
function renamed(from: readonly number[], to: readonly Expr[]): Expr[] {
  const axes: Expr[] = [];
  for (const [i, number] of from.entries()) axes[number] = to[i]!;
  return axes;
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
