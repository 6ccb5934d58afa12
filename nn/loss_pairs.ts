/** Losses between pairs and triples. */
import {
  cosineEmbeddingLoss,
  hingeEmbeddingLoss,
  marginRankingLoss,
  softMarginLoss,
  type Tensor,
  tripletMarginLoss,
} from "../ops/mod.ts";
import type { Reduction } from "../ops/loss.ts";
import { Module } from "./module.ts";

/** Options of {@linkcode HingeEmbeddingLoss}. */
export interface HingeEmbeddingLossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** Margin. @default 1 */
  margin?: number | undefined;
}

/**
 * Distance for label 1, margin minus distance for −1, like `torch.nn.HingeEmbeddingLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { HingeEmbeddingLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new HingeEmbeddingLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class HingeEmbeddingLoss extends Module {
  readonly #options: HingeEmbeddingLossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction and settings.
   */
  constructor(options: HingeEmbeddingLossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return hingeEmbeddingLoss(input, target, this.#options);
  }
}

/** Options of {@linkcode MarginRankingLoss}. */
export interface MarginRankingLossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** Margin. @default 0 */
  margin?: number | undefined;
}

/**
 * How far two scores are from the wanted order, like `torch.nn.MarginRankingLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { MarginRankingLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new MarginRankingLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class MarginRankingLoss extends Module {
  readonly #options: MarginRankingLossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction and settings.
   */
  constructor(options: MarginRankingLossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, other: Tensor, target: Tensor): Tensor {
    return marginRankingLoss(input, other, target, this.#options);
  }
}

/** Options of {@linkcode CosineEmbeddingLoss}. */
export interface CosineEmbeddingLossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** Margin. @default 0 */
  margin?: number | undefined;
}

/**
 * Cosine distance for label 1, similarity above a margin for −1, like `torch.nn.CosineEmbeddingLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { CosineEmbeddingLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new CosineEmbeddingLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3]), zeros([2])).shape, []);
 * ```
 */
export class CosineEmbeddingLoss extends Module {
  readonly #options: CosineEmbeddingLossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction and settings.
   */
  constructor(options: CosineEmbeddingLossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, other: Tensor, target: Tensor): Tensor {
    return cosineEmbeddingLoss(input, other, target, this.#options);
  }
}

/** Options of {@linkcode TripletMarginLoss}. */
export interface TripletMarginLossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** Margin. @default 1 */
  margin?: number | undefined;
  /** Which norm. @default 2 */
  p?: number | undefined;
  /** Added to differences. @default 1e-6 */
  eps?: number | undefined;
  /** Use the nearer of the distances to the negative. @default false */
  swap?: boolean | undefined;
}

/**
 * Distance to the positive less that to the negative, like `torch.nn.TripletMarginLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { TripletMarginLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new TripletMarginLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class TripletMarginLoss extends Module {
  readonly #options: TripletMarginLossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction and settings.
   */
  constructor(options: TripletMarginLossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return tripletMarginLoss(anchor, positive, negative, this.#options);
  }
}

/** Options of {@linkcode SoftMarginLoss}. */
export interface SoftMarginLossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
}

/**
 * Logistic loss with labels ±1, like `torch.nn.SoftMarginLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { SoftMarginLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new SoftMarginLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class SoftMarginLoss extends Module {
  readonly #options: SoftMarginLossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction.
   */
  constructor(options: SoftMarginLossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return softMarginLoss(input, target, this.#options);
  }
}
