/**
 * The linear maps of Winograd's convolution F(4×4, 3×3), four tiles (or channels) per vector.
 *
 * With Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A over tiles d of 6 × 6 pixels (Lavin and Gray,
 * "Fast Algorithms for Convolutional Neural Networks", 2016; points 0, ±a, ±b, ∞), the gradient of
 * the weights is Gᵀ[(A dY Aᵀ) ⊙ (Bᵀ d B)]G over the same tiles: five maps serve all three passes.
 *
 * A two-dimensional map is two passes. Down the columns of the input, whole rows of pixels are mapped
 * at once (`winograd_tiles.ts`). To the output and of the filters, the 36 vectors in between do not fit
 * the registers: they go through a buffer in the L1 cache.
 *
 * @module
 */

import type { FunctionBuilder, FunctionHandle, Local, Locals, ModuleBuilder } from "./assembler.ts";
import { emitTranspose4 } from "./gemm_pack.ts";

/** A one-dimensional map of vectors: takes locals, gives locals (fresh, to be released). */
export type Map1D = (f: FunctionBuilder, x: readonly Local[]) => Local[];

/**
 * Squares of the points ±a, ±b. With √½ and √2 the coefficients are smaller than with the usual 1
 * and 2, and so are the errors: largest error over largest result, uniform random input, 64 channels:
 * 4.5e-6 with 1 and 2, 1.6e-6 with these, 1.0e-6 for plain loops in single precision.
 */
const A2 = 1 / 2;
const B2 = 2;
const A = Math.sqrt(A2);
const B = Math.sqrt(B2);
/** Products of the differences between a point and the other finite ones. */
const NORM_A = 2 * A2 * (A2 - B2);
const NORM_B = 2 * B2 * (B2 - A2);

/** Points of the transformed tile: 6 × 6. */
export const POINTS = 36;

/** Bytes of the buffer between the two passes, for two groups of four tiles. */
export const BUFFER_BYTES: number = 32 * POINTS;

function results(f: FunctionBuilder, count: number): Local[] {
  return f.locals("v128", count);
}

function scale(f: FunctionBuilder, a: number, x: Local): FunctionBuilder {
  return f.get(x).f32x4(a).op("f32x4.mul");
}

/** `a·x + y` for a constant a, or `y − |a|·x`. */
function axpy(f: FunctionBuilder, a: number, x: Local, y: Local): FunctionBuilder {
  f.f32x4(Math.abs(a)).get(x, y);
  return a < 0 ? f.nmadd("f32x4") : f.madd("f32x4");
}

/** Bᵀ: 6 → 6, of the input. */
export function inputMap(f: FunctionBuilder, x: readonly Local[]): Local[] {
  const [d0, d1, d2, d3, d4, d5] = x as [Local, Local, Local, Local, Local, Local];
  const [p, q] = f.locals("v128", 2);
  const t = results(f, 6);
  axpy(f, -(A2 + B2), d2, d4).set(p);
  axpy(f, A2 * B2, d0, p).set(t[0]!);
  for (const [i, other, root] of [[1, B2, A], [3, A2, B]] as const) {
    axpy(f, -other, d2, d4).set(p);
    axpy(f, -other, d1, d3).set(q);
    axpy(f, root, q, p).set(t[i]!);
    axpy(f, -root, q, p).set(t[i + 1]!);
  }
  axpy(f, -(A2 + B2), d3, d5).set(p);
  axpy(f, A2 * B2, d1, p).set(t[5]!);
  f.release(p, q);
  return t;
}

/** Aᵀ: 6 → 4, to the output. */
export function outputMap(f: FunctionBuilder, x: readonly Local[]): Local[] {
  const [m0, m1, m2, m3, m4, m5] = x as [Local, Local, Local, Local, Local, Local];
  const [a, b, c, d] = f.locals("v128", 4);
  const y = results(f, 4);
  f.get(m1, m2).op("f32x4.add").set(a).get(m1, m2).op("f32x4.sub").set(b);
  f.get(m3, m4).op("f32x4.add").set(c).get(m3, m4).op("f32x4.sub").set(d);
  f.get(m0, a).op("f32x4.add").get(c).op("f32x4.add").set(y[0]!);
  scale(f, A, b).set(y[1]!);
  axpy(f, B, d, y[1]!).set(y[1]!);
  scale(f, A2, a).set(y[2]!);
  axpy(f, B2, c, y[2]!).set(y[2]!);
  axpy(f, A * A2, b, m5).set(y[3]!);
  axpy(f, B * B2, d, y[3]!).set(y[3]!);
  f.release(a, b, c, d);
  return y;
}

/** A: 4 → 6, of the output's gradient. */
export function gradientMap(f: FunctionBuilder, x: readonly Local[]): Local[] {
  const [d0, d1, d2, d3] = x as [Local, Local, Local, Local];
  const [e, o] = f.locals("v128", 2);
  const t = results(f, 6);
  f.get(d0).set(t[0]!).get(d3).set(t[5]!);
  for (const [i, square, root] of [[1, A2, A], [3, B2, B]] as const) {
    axpy(f, square, d2, d0).set(e);
    axpy(f, square, d3, d1).set(o);
    axpy(f, root, o, e).set(t[i]!);
    axpy(f, -root, o, e).set(t[i + 1]!);
  }
  f.release(e, o);
  return t;
}

/** G: 3 → 6, of the weights. */
export function filterMap(f: FunctionBuilder, x: readonly Local[]): Local[] {
  const [g0, g1, g2] = x as [Local, Local, Local];
  const s = f.local("v128");
  const t = results(f, 6);
  scale(f, 1 / (A2 * B2), g0).set(t[0]!).get(g2).set(t[5]!);
  for (const [i, square, root, norm] of [[1, A2, A, NORM_A], [3, B2, B, NORM_B]] as const) {
    scale(f, 1 / norm, g0).set(s);
    axpy(f, square / norm, g2, s).set(s);
    axpy(f, root / norm, g1, s).set(t[i]!);
    axpy(f, -root / norm, g1, s).set(t[i + 1]!);
  }
  f.release(s);
  return t;
}

/** Gᵀ: 6 → 3, to the gradient of the weights. */
export function filterGradientMap(f: FunctionBuilder, x: readonly Local[]): Local[] {
  const [u0, u1, u2, u3, u4, u5] = x as [Local, Local, Local, Local, Local, Local];
  const [s, t] = f.locals("v128", 2);
  const g = results(f, 3);
  f.get(u1, u2).op("f32x4.add").set(s).get(u3, u4).op("f32x4.add").set(t);
  scale(f, 1 / (A2 * B2), u0).set(g[0]!);
  axpy(f, 1 / NORM_A, s, g[0]!).set(g[0]!);
  axpy(f, 1 / NORM_B, t, g[0]!).set(g[0]!);
  axpy(f, A2 / NORM_A, s, u5).set(g[2]!);
  axpy(f, B2 / NORM_B, t, g[2]!).set(g[2]!);
  f.get(u1, u2).op("f32x4.sub").set(s).get(u3, u4).op("f32x4.sub").set(t);
  scale(f, A / NORM_A, s).set(g[1]!);
  axpy(f, B / NORM_B, t, g[1]!).set(g[1]!);
  f.release(s, t);
  return g;
}

/** First pass: maps `rows` rows that `load` gives, and leaves them in the buffer. */
export function emitRows(
  f: FunctionBuilder,
  buffer: Local,
  rows: number,
  map: Map1D,
  load: (row: number) => Local[],
): void {
  for (let i = 0; i < rows; i++) {
    const x = load(i);
    const y = map(f, x);
    y.forEach((value, j) => f.get(buffer, value).memory("v128.store", 16 * (6 * i + j)));
    f.release(...x, ...y);
  }
}

/** Second pass: maps `columns` columns of `rows` vectors each, and hands the results over. */
export function emitColumns(
  f: FunctionBuilder,
  buffer: Local,
  rows: number,
  columns: number,
  map: Map1D,
  store: (column: number, values: Local[]) => void,
): void {
  for (let j = 0; j < columns; j++) {
    const x = f.locals("v128", rows) as Local[];
    x.forEach((value, i) => f.get(buffer).memory("v128.load", 16 * (6 * i + j)).set(value));
    const y = map(f, x);
    store(j, y);
    f.release(...x, ...y);
  }
}

/**
 * Defines `(p0, …, rowBytes, dst, stride)`: the tiles at four addresses per group, six rows each that
 * are mapped already down the columns, to `dst + point·stride`, one lane each, groups side by side.
 *
 * @param m The module; must import the memory.
 * @param size Columns of a tile: 6 for the input, 4 for the output's gradient.
 * @param groups Vectors of tiles; two where V8 pairs them.
 * @returns A handle.
 */
export function emitTileTransform(m: ModuleBuilder, size: 4 | 6, groups: 1 | 2): FunctionHandle {
  const map = size === 6 ? inputMap : gradientMap;
  return m.func({ params: Array.from({ length: 4 * groups + 3 }, () => "i32" as const) }, (f) => {
    const pointers = f.params.slice(0, 4 * groups);
    const [rowBytes, dst, stride] = f.params.slice(4 * groups) as [Local, Local, Local];
    for (let row = 0; row < 6; row++) {
      if (row > 0) { for (const p of pointers) f.get(p, rowBytes).op("i32.add").set(p); }
      const x: Local[][] = [];
      for (let g = 0; g < groups; g++) {
        x.push(loadColumns(f, pointers.slice(4 * g, 4 * g + 4), size));
      }
      const y = x.map((group) => map(f, group));
      for (let i = 0; i < 6; i++) {
        y.forEach((group, g) => f.get(dst, group[i]!).memory("v128.store", 16 * g, 2));
        f.get(dst, stride).op("i32.add").set(dst);
      }
      f.release(...x.flat(), ...y.flat());
    }
  });
}

/** A row of four tiles as columns, one tile per lane. */
function loadColumns(f: FunctionBuilder, pointers: readonly Local[], size: 4 | 6): Local[] {
  const [p0, p1, p2, p3] = pointers as [Local, Local, Local, Local];
  const [x, y] = [f.locals("v128", 4), f.locals("v128", 4)];
  pointers.forEach((p, l) => f.get(p).memory("v128.load", 0, 2).set(x[l]!));
  emitTranspose4(f, x, y);
  f.release(...x);
  if (size === 4) return y;
  const [u, v, c4, c5] = f.locals("v128", 4);
  const pair = (a: Local, b: Local) =>
    f.get(a).memory("v128.load64_zero", 16, 2).get(b).memory("v128.load64_zero", 16, 2)
      .shuffle32(0, 4, 1, 5);
  pair(p0, p1).set(u);
  pair(p2, p3).set(v);
  f.get(u, v).shuffle32(0, 1, 4, 5).set(c4).get(u, v).shuffle32(2, 3, 6, 7).set(c5);
  f.release(u, v);
  return [...y, c4, c5];
}

/**
 * Defines `(src, stride, buffer, bias, floor, rowBytes, o0, …)`: products at `src + point·stride` to
 * output tiles of 4 × 4 at four addresses per group, each result `max(floor, bias + y)`.
 *
 * @param m The module; must import the memory.
 * @param groups Vectors of tiles; two where V8 pairs them.
 * @returns A handle.
 */
export function emitOutputTransform(m: ModuleBuilder, groups: 1 | 2): FunctionHandle {
  const outs = Array.from({ length: 4 * groups }, () => "i32" as const);
  const params = ["i32", "i32", "i32", "f32", "f32", "i32", ...outs] as const;
  return m.func({ params }, (f) => {
    const [src, stride, buffer, bias, floor, rowBytes] = f.parameters(6);
    const outputs = f.params.slice(6);
    const [biases, floors] = f.locals("v128", 2);
    f.get(bias).op("f32x4.splat").set(biases).get(floor).op("f32x4.splat").set(floors);
    const place = (row: number, column: number) => 16 * groups * (6 * row + column);
    const vectors = (load: (i: number, group: number) => void) => {
      const x = Array.from({ length: groups }, () => f.locals("v128", 6) as Local[]);
      for (let i = 0; i < 6; i++) x.forEach((group, g) => (load(i, g), f.set(group[i]!)));
      return x;
    };
    const map = (x: Local[][]) => {
      const y = x.map((group) => outputMap(f, group));
      f.release(...x.flat());
      return y;
    };
    /** Neighbours one after the other. */
    const keep = (y: Local[][], column: (i: number) => number) => {
      for (let i = 0; i < 4; i++) {
        y.forEach((group, g) => f.get(buffer, group[i]!).memory("v128.store", column(i) + 16 * g));
      }
      f.release(...y.flat());
    };
    // Rows of points first; the columns then come out as rows of pixels.
    for (let row = 0; row < 6; row++) {
      const x = vectors((_, g) => {
        f.get(src).memory("v128.load", 16 * g, 2);
        if (g === groups - 1) f.get(src, stride).op("i32.add").set(src);
      });
      keep(map(x), (i) => place(row, i));
    }
    const columns: Local[][] = [];
    for (let column = 0; column < 4; column++) {
      const x = vectors((i, g) => f.get(buffer).memory("v128.load", place(i, column) + 16 * g));
      const y = map(x);
      for (const value of y.flat()) {
        f.get(value, biases).op("f32x4.add").get(floors).op("f32x4.pmax").set(value);
      }
      // Only what is stored side by side is paired.
      if (groups === 1) columns.push(y[0]!);
      else keep(y, (i) => place(i, column));
    }
    for (let i = 0; i < 4; i++) {
      for (let g = 0; g < groups; g++) {
        const x = f.locals("v128", 4);
        x.forEach((value, j) => {
          if (groups === 1) f.get(columns[j]![i]!).set(value);
          else f.get(buffer).memory("v128.load", place(i, j) + 16 * g).set(value);
        });
        storeRows(f, x, outputs.slice(4 * g, 4 * g + 4), i < 3 ? rowBytes : undefined);
      }
    }
    f.release(biases, floors);
  });
}

/** Stores a row of four tiles, given as its columns, and moves on to the next where there is one. */
function storeRows(
  f: FunctionBuilder,
  x: Locals<4>,
  outputs: readonly Local[],
  rowBytes: Local | undefined,
): void {
  const y = f.locals("v128", 4);
  emitTranspose4(f, x, y);
  outputs.forEach((out, l) => {
    f.get(out, y[l]!).memory("v128.store", 0, 2);
    if (rowBytes) f.get(out, rowBytes).op("i32.add").set(out);
  });
  f.release(...x, ...y);
}
