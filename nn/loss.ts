/** Losses between values. */
import {
  gaussianNllLoss,
  huberLoss,
  klDiv,
  l1Loss,
  mseLoss,
  poissonNllLoss,
  smoothL1Loss,
  type Tensor,
} from "../ops/mod.ts";
import type { Reduction } from "../ops/loss.ts";
import { Module } from "./module.ts";

/** Options of {@linkcode MSELoss}. */
export interface MSELossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
}

/**
 * Squared difference, like `torch.nn.MSELoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { MSELoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new MSELoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class MSELoss extends Module {
  readonly #options: MSELossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction.
   */
  constructor(options: MSELossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return mseLoss(input, target, this.#options);
  }
}

/** Options of {@linkcode L1Loss}. */
export interface L1LossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
}

/**
 * Absolute difference, like `torch.nn.L1Loss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { L1Loss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new L1Loss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class L1Loss extends Module {
  readonly #options: L1LossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction.
   */
  constructor(options: L1LossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return l1Loss(input, target, this.#options);
  }
}

/** Options of {@linkcode SmoothL1Loss}. */
export interface SmoothL1LossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** Where the two meet. @default 1 */
  beta?: number | undefined;
}

/**
 * Squared difference near 0, absolute beyond `beta` (Girshick 2015), like `torch.nn.SmoothL1Loss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { SmoothL1Loss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new SmoothL1Loss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class SmoothL1Loss extends Module {
  readonly #options: SmoothL1LossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction and settings.
   */
  constructor(options: SmoothL1LossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return smoothL1Loss(input, target, this.#options);
  }
}

/** Options of {@linkcode HuberLoss}. */
export interface HuberLossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** Where the two meet. @default 1 */
  delta?: number | undefined;
}

/**
 * Squared difference near 0, absolute beyond `delta` (Huber 1964), like `torch.nn.HuberLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { HuberLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new HuberLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class HuberLoss extends Module {
  readonly #options: HuberLossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction and settings.
   */
  constructor(options: HuberLossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return huberLoss(input, target, this.#options);
  }
}

/** Options of {@linkcode KLDivLoss}. */
export interface KLDivLossOptions {
  /** Mean, sum, sum over the batch size, or each. @default "mean" */
  reduction?: "mean" | "sum" | "none" | "batchmean" | undefined;
  /** The target is in logarithms as well. @default false */
  logTarget?: boolean | undefined;
}

/**
 * Kullback–Leibler divergence of log-probabilities from a target, like `torch.nn.KLDivLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { KLDivLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new KLDivLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class KLDivLoss extends Module {
  readonly #options: KLDivLossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction and settings.
   */
  constructor(options: KLDivLossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return klDiv(input, target, this.#options);
  }
}

/** Options of {@linkcode PoissonNLLLoss}. */
export interface PoissonNLLLossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** The input is the logarithm of the rate. @default true */
  logInput?: boolean | undefined;
  /** Add the Stirling term. @default false */
  full?: boolean | undefined;
  /** Added to the rate under a logarithm. @default 1e-8 */
  eps?: number | undefined;
}

/**
 * Negative log-likelihood of counts, like `torch.nn.PoissonNLLLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { PoissonNLLLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new PoissonNLLLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class PoissonNLLLoss extends Module {
  readonly #options: PoissonNLLLossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction and settings.
   */
  constructor(options: PoissonNLLLossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return poissonNllLoss(input, target, this.#options);
  }
}

/** Options of {@linkcode GaussianNLLLoss}. */
export interface GaussianNLLLossOptions {
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** Add the constant term. @default false */
  full?: boolean | undefined;
  /** Lowest variance. @default 1e-6 */
  eps?: number | undefined;
}

/**
 * Negative log-likelihood of a normal distribution, like `torch.nn.GaussianNLLLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { GaussianNLLLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new GaussianNLLLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class GaussianNLLLoss extends Module {
  readonly #options: GaussianNLLLossOptions;

  /**
   * Makes the module.
   *
   * @param options Reduction and settings.
   */
  constructor(options: GaussianNLLLossOptions = {}) {
    super();
    this.#options = options;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor, variance: Tensor): Tensor {
    return gaussianNllLoss(input, target, variance, this.#options);
  }
}
