/**
 * Initial values of parameters, like `torch.nn.init`. All write in place and return the tensor.
 *
 * @module
 */
import {
  erfinv,
  type Generator,
  noGrad,
  randn,
  type Tensor,
  tensor,
  uniformRandom,
} from "../ops/mod.ts";
import { checkChoice, rangeError, ShapeError } from "../ops/check.ts";

/** Options of random initial values. */
export interface InitOptions {
  /** Stream to draw from. @default the one seeded by `manualSeed` */
  generator?: Generator | undefined;
}

/** Names of nonlinearities that have a recommended gain. */
export type Nonlinearity =
  | "linear"
  | "conv1d"
  | "conv2d"
  | "conv3d"
  | "sigmoid"
  | "tanh"
  | "relu"
  | "leakyRelu"
  | "selu";

const UNIT_GAIN: readonly Nonlinearity[] = ["linear", "conv1d", "conv2d", "conv3d", "sigmoid"];

/**
 * Recommended gain of a nonlinearity, like `torch.nn.init.calculate_gain`.
 *
 * @param nonlinearity Which function follows the layer.
 * @param slope Negative slope of `leakyRelu` (default 0.01).
 * @returns Factor of the standard deviation.
 *
 * @example
 * ```ts
 * import { init } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(init.calculateGain("relu"), Math.sqrt(2));
 * ```
 */
export function calculateGain(nonlinearity: Nonlinearity, slope = 0.01): number {
  const names = [...UNIT_GAIN, "tanh", "relu", "leakyRelu", "selu"];
  checkChoice("calculateGain", "nonlinearity", nonlinearity, names);
  switch (nonlinearity) {
    case "tanh":
      return 5 / 3;
    case "relu":
      return Math.sqrt(2);
    case "leakyRelu":
      return Math.sqrt(2 / (1 + slope ** 2));
    case "selu":
      return 3 / 4;
    default:
      return 1;
  }
}

/** Inputs and outputs of one unit of a weight `[out, in, …]`. @throws {ShapeError} Below two axes. */
export function fanInAndOut(op: string, shape: readonly number[]): [number, number] {
  if (shape.length < 2) {
    throw new ShapeError(op, "fan in and fan out need at least 2 dimensions", { tensor: shape });
  }
  const field = shape.slice(2).reduce((n, s) => n * s, 1);
  return [shape[1]! * field, shape[0]! * field];
}

function write(target: Tensor, value: () => Tensor): Tensor {
  return noGrad(() => target.copy_(value()));
}

/** Uniform numbers in [low, high), like `torch.nn.init.uniform_`. */
export function uniform_(x: Tensor, low = 0, high = 1, options: InitOptions = {}): Tensor {
  return noGrad(() => x.uniform_(low, high, options));
}

/** Normal numbers, like `torch.nn.init.normal_`. */
export function normal_(x: Tensor, mean = 0, std = 1, options: InitOptions = {}): Tensor {
  return noGrad(() => x.normal_(mean, std, options));
}

/** Options of {@linkcode truncNormal_}. */
export interface TruncNormalOptions extends InitOptions {
  /** Mean of the whole distribution. @default 0 */
  mean?: number | undefined;
  /** Standard deviation of the whole distribution. @default 1 */
  std?: number | undefined;
  /** Lowest value. @default -2 */
  low?: number | undefined;
  /** Highest value. @default 2 */
  high?: number | undefined;
}

/** Normal numbers within bounds, by the inverse distribution function, like `torch.nn.init.trunc_normal_`. */
export function truncNormal_(x: Tensor, options: TruncNormalOptions = {}): Tensor {
  const { mean = 0, std = 1, low = -2, high = 2, generator } = options;
  if (!(std > 0) || low >= high) {
    throw rangeError("truncNormal_", `std ${std} and bounds ${low}, ${high} are not allowed`);
  }
  const from = 2 * normalCdf((low - mean) / std) - 1;
  const to = 2 * normalCdf((high - mean) / std) - 1;
  const { dtype, device } = x;
  return write(
    x,
    () =>
      erfinv(uniformRandom(x.shape, from, to, { dtype, device, generator }))
        .mul(std * Math.SQRT2).add(mean).clamp(low, high),
  );
}

/** Abramowitz and Stegun 7.1.26 refined by the series near 0: error below 2e-7. */
function normalCdf(z: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(z) / Math.SQRT2);
  const poly = t *
    (0.254829592 +
      t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = poly * Math.exp(-z * z / 2) / 2;
  return z < 0 ? tail : 1 - tail;
}

/** One value everywhere, like `torch.nn.init.constant_`. */
export function constant_(x: Tensor, value: number): Tensor {
  return noGrad(() => x.fill_(value));
}

/** Zeros. */
export function zeros_(x: Tensor): Tensor {
  return constant_(x, 0);
}

/** Ones. */
export function ones_(x: Tensor): Tensor {
  return constant_(x, 1);
}

/** The identity matrix, like `torch.nn.init.eye_`. @throws {ShapeError} If `x` is no matrix. */
export function eye_(x: Tensor): Tensor {
  if (x.ndim !== 2) throw new ShapeError("eye_", "needs 2 dimensions", { tensor: x.shape });
  const [, columns] = x.shape as [number, number];
  return fill(x, (i) => Math.floor(i / columns) === i % columns ? 1 : 0);
}

/**
 * A convolution that keeps its input, each group its part of it; like `torch.nn.init.dirac_`.
 *
 * @throws {ShapeError} Unless `x` has 3 to 5 axes, the first a multiple of `groups`.
 */
export function dirac_(x: Tensor, groups = 1): Tensor {
  if (x.ndim < 3 || x.ndim > 5) {
    throw new ShapeError("dirac_", "needs 3 to 5 dimensions", { tensor: x.shape });
  }
  const [outChannels, channels, ...kernel] = x.shape as [number, number, ...number[]];
  if (outChannels % groups) {
    throw new ShapeError("dirac_", `${groups} groups do not divide ${outChannels} channels`, {
      tensor: x.shape,
    });
  }
  const field = kernel.reduce((n, k) => n * k, 1);
  const centre = kernel.reduce((n, k) => n * k + Math.floor(k / 2), 0);
  return fill(x, (i) => {
    const unit = Math.floor(i / field);
    const diagonal = Math.floor(unit / channels) % (outChannels / groups) === unit % channels;
    return diagonal && i % field === centre ? 1 : 0;
  });
}

function fill(x: Tensor, value: (i: number) => number): Tensor {
  const values = Float64Array.from({ length: x.numel }, (_, i) => value(i));
  const { dtype, device, shape } = x;
  return write(x, () => tensor(values, { shape, dtype, device }));
}

/** Options of {@linkcode xavierUniform_} and {@linkcode xavierNormal_}. */
export interface XavierOptions extends InitOptions {
  /** Factor of the standard deviation. @default 1 */
  gain?: number | undefined;
}

/** Glorot and Bengio 2010, uniform; like `torch.nn.init.xavier_uniform_`. */
export function xavierUniform_(x: Tensor, options: XavierOptions = {}): Tensor {
  const [fanIn, fanOut] = fanInAndOut("xavierUniform_", x.shape);
  const bound = (options.gain ?? 1) * Math.sqrt(6 / (fanIn + fanOut));
  return uniform_(x, -bound, bound, { generator: options.generator });
}

/** Glorot and Bengio 2010, normal; like `torch.nn.init.xavier_normal_`. */
export function xavierNormal_(x: Tensor, options: XavierOptions = {}): Tensor {
  const [fanIn, fanOut] = fanInAndOut("xavierNormal_", x.shape);
  const std = (options.gain ?? 1) * Math.sqrt(2 / (fanIn + fanOut));
  return normal_(x, 0, std, { generator: options.generator });
}

/** Options of {@linkcode kaimingUniform_} and {@linkcode kaimingNormal_}. */
export interface KaimingOptions extends InitOptions {
  /** Negative slope of the rectifier that follows. @default 0 */
  slope?: number | undefined;
  /** Whose variance is kept: that of the forward pass or that of the backward pass. @default "fanIn" */
  mode?: "fanIn" | "fanOut" | undefined;
  /** What follows. @default "leakyRelu" */
  nonlinearity?: Nonlinearity | undefined;
}

function kaimingStd(op: string, shape: readonly number[], options: KaimingOptions): number {
  const { mode = "fanIn" } = options;
  checkChoice(op, "mode", mode, ["fanIn", "fanOut"]);
  const [fanIn, fanOut] = fanInAndOut(op, shape);
  const fan = mode === "fanOut" ? fanOut : fanIn;
  const gain = calculateGain(options.nonlinearity ?? "leakyRelu", options.slope ?? 0);
  return gain / Math.sqrt(fan);
}

/** He et al. 2015, uniform; like `torch.nn.init.kaiming_uniform_`. */
export function kaimingUniform_(x: Tensor, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd("kaimingUniform_", x.shape, options);
  return uniform_(x, -bound, bound, { generator: options.generator });
}

/** He et al. 2015, normal; like `torch.nn.init.kaiming_normal_`. */
export function kaimingNormal_(x: Tensor, options: KaimingOptions = {}): Tensor {
  const std = kaimingStd("kaimingNormal_", x.shape, options);
  return normal_(x, 0, std, { generator: options.generator });
}

/**
 * A (semi-)orthogonal matrix, like `torch.nn.init.orthogonal_`: Gram–Schmidt, twice, on normal
 * numbers, computed in float64 on the host.
 */
export async function orthogonal_(x: Tensor, options: XavierOptions = {}): Promise<Tensor> {
  if (x.ndim < 2) {
    throw new ShapeError("orthogonal_", "needs at least 2 dimensions", { tensor: x.shape });
  }
  const rows = x.shape[0]!, columns = x.numel / rows;
  const count = Math.min(rows, columns), length = Math.max(rows, columns);
  const { device, dtype, shape } = x;
  const raw = await randn([count, length], { device, generator: options.generator }).data();
  const basis = orthonormalRows(Float64Array.from(raw), count, length);
  const gain = options.gain ?? 1;
  const values = Float64Array.from({ length: x.numel }, (_, i) => {
    const row = Math.floor(i / columns), column = i % columns;
    return gain * (rows <= columns ? basis[row * length + column]! : basis[column * length + row]!);
  });
  return write(x, () => tensor(values, { shape, dtype, device }));
}

function orthonormalRows(m: Float64Array, count: number, length: number): Float64Array {
  const row = (i: number) => m.subarray(i * length, (i + 1) * length);
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, v, k) => sum + v * b[k]!, 0);
  for (let i = 0; i < count; i++) {
    const own = row(i);
    // The second pass removes what rounding left of the first.
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = row(j), projection = dot(own, other);
        for (let k = 0; k < length; k++) own[k]! -= projection * other[k]!;
      }
    }
    const norm = Math.sqrt(dot(own, own));
    for (let k = 0; k < length; k++) own[k]! /= norm;
  }
  return m;
}
