/** Normalization by batch statistics: batch and instance norms. */
import { batchNorm, noGrad, ShapeError, type Tensor, zeros } from "../ops/mod.ts";
import { afterStep, isTracing } from "../ops/guard.ts";
import { full } from "../ops/create.ts";
import { checkCount } from "./_check.ts";
import { constantParameter } from "./_factory.ts";
import { type FactoryOptions, Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** Options of batch and instance norms. */
export interface BatchNormLayerOptions extends FactoryOptions {
  /** Added to the variance. @default 1e-5 */
  eps?: number | undefined;
  /** Share of the batch in new running statistics; null averages over all batches. @default 0.1 */
  momentum?: number | null | undefined;
  /** Learn a factor and an offset per channel. @default true, for instance norms false */
  affine?: boolean | undefined;
  /** Keep running statistics for evaluation. @default true, for instance norms false */
  trackRunningStats?: boolean | undefined;
}

/** What batch and instance norms have in common: parameters and running statistics. */
export abstract class StatisticsNorm extends Module {
  /** Number of channels. */
  readonly numFeatures: number;
  /** Added to the variance. */
  readonly eps: number;
  /** Share of the batch in new running statistics. */
  readonly momentum: number | null;
  /** Factor of each channel. */
  weight: Parameter | undefined;
  /** Offset of each channel. */
  bias: Parameter | undefined;
  /** Mean of each channel over batches. */
  runningMean: Tensor | undefined;
  /** Variance of each channel over batches. */
  runningVar: Tensor | undefined;
  readonly #tracked: Tensor | undefined;
  readonly #name: string;
  /** Batches that are not yet in the counter; counting on the host costs no kernel. */
  #pending = 0;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param numFeatures Number of channels.
   * @param options Settings.
   */
  constructor(name: string, numFeatures: number, options: BatchNormLayerOptions) {
    super();
    checkCount(name, "numFeatures", numFeatures);
    this.#name = name;
    this.numFeatures = numFeatures;
    this.eps = options.eps ?? 1e-5;
    this.momentum = options.momentum === undefined ? 0.1 : options.momentum;
    const { dtype, device } = options;
    const shape = [numFeatures];
    this.weight = options.affine ? constantParameter(shape, 1, options) : undefined;
    this.bias = options.affine ? constantParameter(shape, 0, options) : undefined;
    const track = options.trackRunningStats;
    const statistic = (value: number) => track ? full(shape, value, { dtype, device }) : undefined;
    this.runningMean = this.registerBuffer("runningMean", statistic(0));
    this.runningVar = this.registerBuffer("runningVar", statistic(1));
    this.#tracked = track ? zeros([], { dtype: "int32", device }) : undefined;
  }

  /** Number of batches seen while training. */
  get numBatchesTracked(): Tensor | undefined {
    const count = this.#pending;
    if (count && !isTracing()) {
      this.#pending = 0;
      noGrad(() => this.#tracked?.add_(count));
    }
    return this.#tracked;
  }

  /** Members by key. */
  override members(): Iterable<readonly [string, unknown]> {
    return [...super.members(), ["num_batches_tracked", this.numBatchesTracked]];
  }

  /** Names of the buffers, with whether `stateDict()` holds them. */
  override bufferNames(): ReadonlyMap<string, boolean> {
    return new Map([...super.bufferNames(), ["num_batches_tracked", true]]);
  }

  /** Zeros the running statistics. */
  resetRunningStats(): void {
    noGrad(() => {
      this.runningMean?.zero_();
      this.runningVar?.fill_(1);
      this.numBatchesTracked?.zero_();
    });
  }

  /** Counts a batch and gives the share that it has in the running statistics. */
  protected share(): number | Tensor {
    if (this.momentum !== null) {
      if (this.#tracked) afterStep(() => this.#pending++);
      return this.momentum;
    }
    const count = this.numBatchesTracked;
    if (!count) return 0;
    return noGrad(() => count.add_(1)).to("float32").reciprocal();
  }

  /** Refuses inputs whose number of dimensions is not among `ranks`. */
  protected checkRank(x: Tensor, ranks: readonly number[]): void {
    if (ranks.includes(x.ndim)) return;
    const wanted = ranks.join(" or ");
    throw new ShapeError(this.#name, `input needs ${wanted} dimensions`, { input: x.shape });
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${this.numFeatures}`;
  }
}

/** What {@linkcode BatchNorm1d}, {@linkcode BatchNorm2d} and {@linkcode BatchNorm3d} have in common. */
export abstract class BatchNormBase extends StatisticsNorm {
  readonly #ranks: readonly number[];

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param ranks Numbers of dimensions of inputs.
   * @param numFeatures Number of channels.
   * @param options Settings.
   */
  constructor(
    name: string,
    ranks: readonly number[],
    numFeatures: number,
    options: BatchNormLayerOptions,
  ) {
    super(name, numFeatures, { affine: true, trackRunningStats: true, ...present(options) });
    this.#ranks = ranks;
  }

  /**
   * Normalized channels; while training also updates the running statistics.
   *
   * @throws {ShapeError} If the dimensions or channels do not fit.
   * @throws {RangeError} If training sees one value per channel.
   */
  forward(x: Tensor): Tensor {
    this.checkRank(x, this.#ranks);
    const { weight, bias, eps, runningMean, runningVar } = this;
    const training = this.training || !runningMean;
    if (!this.training || !runningMean) {
      return batchNorm(x, runningMean, runningVar, { weight, bias, eps, training });
    }
    const options = { weight, bias, eps, training, momentum: this.share() };
    return batchNorm(x, runningMean, runningVar, options);
  }
}

function present<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as T;
}

/**
 * Normalizes each channel over the batch and space (Ioffe and Szegedy 2015), like `torch.nn.BatchNorm1d`.
 *
 * Shapes: input `[N, C] or [N, C, L]`, the result the same.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { BatchNorm1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new BatchNorm1d(3).forward(rand([2, 3, 4])).shape, [2, 3, 4]);
 * ```
 */
export class BatchNorm1d extends BatchNormBase {
  /**
   * Makes the module.
   *
   * @param numFeatures Number of channels.
   * @param options Settings.
   * @throws {RangeError} If `numFeatures` is not positive.
   */
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super("BatchNorm1d", [2, 3], numFeatures, options);
  }
}

/**
 * Normalizes each channel over the batch and space (Ioffe and Szegedy 2015), like `torch.nn.BatchNorm2d`.
 *
 * Shapes: input `[N, C, H, W]`, the result the same.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { BatchNorm2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new BatchNorm2d(3).forward(rand([2, 3, 4, 4])).shape, [2, 3, 4, 4]);
 * ```
 */
export class BatchNorm2d extends BatchNormBase {
  /**
   * Makes the module.
   *
   * @param numFeatures Number of channels.
   * @param options Settings.
   * @throws {RangeError} If `numFeatures` is not positive.
   */
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super("BatchNorm2d", [4], numFeatures, options);
  }
}

/**
 * Normalizes each channel over the batch and space (Ioffe and Szegedy 2015), like `torch.nn.BatchNorm3d`.
 *
 * Shapes: input `[N, C, D, H, W]`, the result the same.
 *
 * @example
 * ```ts
 * import { rand } from "@tensaurus/core";
 * import { BatchNorm3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new BatchNorm3d(3).forward(rand([2, 3, 4, 4, 4])).shape, [2, 3, 4, 4, 4]);
 * ```
 */
export class BatchNorm3d extends BatchNormBase {
  /**
   * Makes the module.
   *
   * @param numFeatures Number of channels.
   * @param options Settings.
   * @throws {RangeError} If `numFeatures` is not positive.
   */
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super("BatchNorm3d", [5], numFeatures, options);
  }
}
