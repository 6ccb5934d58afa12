/** Distances between vectors. */
import { cosineSimilarity, pairwiseDistance, type Tensor } from "../ops/mod.ts";
import { Module } from "./module.ts";

/** Options of {@linkcode CosineSimilarity}. */
export interface CosineSimilarityOptions {
  /** Axis of a vector. @default 1 */
  dim?: number | undefined;
  /** Smallest product of norms. @default 1e-8 */
  eps?: number | undefined;
}

/** Options of {@linkcode PairwiseDistance}. */
export interface PairwiseDistanceOptions {
  /** Which norm. @default 2 */
  p?: number | undefined;
  /** Added to differences. @default 1e-6 */
  eps?: number | undefined;
  /** Keep the last axis with size 1. @default false */
  keepdim?: boolean | undefined;
}

/**
 * Cosine of the angle between vectors, like `torch.nn.CosineSimilarity`.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { CosineSimilarity } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new CosineSimilarity().forward(ones([2, 3]), ones([2, 3])).shape, [2]);
 * ```
 */
export class CosineSimilarity extends Module {
  readonly #options: CosineSimilarityOptions;

  /**
   * Makes the module.
   *
   * @param options Axis, eps.
   */
  constructor(options: CosineSimilarityOptions = {}) {
    super();
    this.#options = options;
  }

  /** The similarities. */
  forward(x1: Tensor, x2: Tensor): Tensor {
    return cosineSimilarity(x1, x2, this.#options);
  }
}

/**
 * Norm of the difference of vectors, like `torch.nn.PairwiseDistance`.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { PairwiseDistance } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new PairwiseDistance().forward(ones([2, 3]), ones([2, 3])).shape, [2]);
 * ```
 */
export class PairwiseDistance extends Module {
  readonly #options: PairwiseDistanceOptions;

  /**
   * Makes the module.
   *
   * @param options Norm, eps, shape.
   */
  constructor(options: PairwiseDistanceOptions = {}) {
    super();
    this.#options = options;
  }

  /** The distances. */
  forward(x1: Tensor, x2: Tensor): Tensor {
    return pairwiseDistance(x1, x2, this.#options);
  }
}
