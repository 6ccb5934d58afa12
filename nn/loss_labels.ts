/** Losses against labels. */
import {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  crossEntropy,
  multilabelSoftMarginLoss,
  multiMarginLoss,
  nllLoss,
  type Tensor,
} from "../ops/mod.ts";
import type { Reduction } from "../ops/loss.ts";
import { Module } from "./module.ts";

/** Options of {@linkcode CrossEntropyLoss}. */
export interface CrossEntropyLossOptions {
  /** Weight of each class. */
  weight?: Tensor | undefined;
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** Label that counts for nothing. @default -100 */
  ignoreIndex?: number | undefined;
  /** Share of the target spread over all classes. @default 0 */
  labelSmoothing?: number | undefined;
}

/**
 * Cross-entropy of logits with class labels or probabilities, like `torch.nn.CrossEntropyLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { CrossEntropyLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new CrossEntropyLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2], { dtype: "int32" })).shape, []);
 * ```
 */
export class CrossEntropyLoss extends Module {
  /** Weight of each class. */
  weight: Tensor | undefined;
  readonly #options: CrossEntropyLossOptions;

  /**
   * Makes the module.
   *
   * @param options Weights, reduction and settings.
   */
  constructor(options: CrossEntropyLossOptions = {}) {
    super();
    const { weight, ...rest } = options;
    this.weight = this.registerBuffer("weight", weight);
    this.#options = rest;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return crossEntropy(input, target, { ...this.#options, weight: this.weight });
  }
}

/** Options of {@linkcode NLLLoss}. */
export interface NLLLossOptions {
  /** Weight of each class. */
  weight?: Tensor | undefined;
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** Label that counts for nothing. @default -100 */
  ignoreIndex?: number | undefined;
}

/**
 * Negative log-probability of class labels, like `torch.nn.NLLLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { NLLLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new NLLLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2], { dtype: "int32" })).shape, []);
 * ```
 */
export class NLLLoss extends Module {
  /** Weight of each class. */
  weight: Tensor | undefined;
  readonly #options: NLLLossOptions;

  /**
   * Makes the module.
   *
   * @param options Weights, reduction and settings.
   */
  constructor(options: NLLLossOptions = {}) {
    super();
    const { weight, ...rest } = options;
    this.weight = this.registerBuffer("weight", weight);
    this.#options = rest;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return nllLoss(input, target, { ...this.#options, weight: this.weight });
  }
}

/** Options of {@linkcode BCELoss}. */
export interface BCELossOptions {
  /** Factor of each loss; broadcasts. */
  weight?: Tensor | undefined;
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
}

/**
 * Cross-entropy of probabilities with two classes, like `torch.nn.BCELoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { BCELoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new BCELoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class BCELoss extends Module {
  /** Factor of each loss; broadcasts. */
  weight: Tensor | undefined;
  readonly #options: BCELossOptions;

  /**
   * Makes the module.
   *
   * @param options Weights, reduction.
   */
  constructor(options: BCELossOptions = {}) {
    super();
    const { weight, ...rest } = options;
    this.weight = this.registerBuffer("weight", weight);
    this.#options = rest;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropy(input, target, { ...this.#options, weight: this.weight });
  }
}

/** Options of {@linkcode BCEWithLogitsLoss}. */
export interface BCEWithLogitsLossOptions {
  /** Factor of each loss; broadcasts. */
  weight?: Tensor | undefined;
  /** Weight of the positive class; broadcasts. */
  posWeight?: Tensor | undefined;
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
}

/**
 * Cross-entropy of logits with two classes, like `torch.nn.BCEWithLogitsLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { BCEWithLogitsLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new BCEWithLogitsLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class BCEWithLogitsLoss extends Module {
  /** Factor of each loss; broadcasts. */
  weight: Tensor | undefined;
  /** Weight of the positive class; broadcasts. */
  posWeight: Tensor | undefined;
  readonly #options: BCEWithLogitsLossOptions;

  /**
   * Makes the module.
   *
   * @param options Weights, reduction.
   */
  constructor(options: BCEWithLogitsLossOptions = {}) {
    super();
    const { weight, posWeight, ...rest } = options;
    this.weight = this.registerBuffer("weight", weight);
    this.posWeight = this.registerBuffer("posWeight", posWeight);
    this.#options = rest;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropyWithLogits(input, target, {
      ...this.#options,
      weight: this.weight,
      posWeight: this.posWeight,
    });
  }
}

/** Options of {@linkcode MultiLabelSoftMarginLoss}. */
export interface MultiLabelSoftMarginLossOptions {
  /** Weight of each class. */
  weight?: Tensor | undefined;
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
}

/**
 * Mean over classes of the cross-entropy with several labels, like `torch.nn.MultiLabelSoftMarginLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { MultiLabelSoftMarginLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new MultiLabelSoftMarginLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2, 3])).shape, []);
 * ```
 */
export class MultiLabelSoftMarginLoss extends Module {
  /** Weight of each class. */
  weight: Tensor | undefined;
  readonly #options: MultiLabelSoftMarginLossOptions;

  /**
   * Makes the module.
   *
   * @param options Weights, reduction.
   */
  constructor(options: MultiLabelSoftMarginLossOptions = {}) {
    super();
    const { weight, ...rest } = options;
    this.weight = this.registerBuffer("weight", weight);
    this.#options = rest;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return multilabelSoftMarginLoss(input, target, { ...this.#options, weight: this.weight });
  }
}

/** Options of {@linkcode MultiMarginLoss}. */
export interface MultiMarginLossOptions {
  /** Weight of each class. */
  weight?: Tensor | undefined;
  /** Mean or sum of the losses, or each of them. @default "mean" */
  reduction?: Reduction | undefined;
  /** Power. @default 1 */
  p?: number | undefined;
  /** Margin. @default 1 */
  margin?: number | undefined;
}

/**
 * Hinge loss over classes, like `torch.nn.MultiMarginLoss`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { MultiMarginLoss } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const loss = new MultiMarginLoss();
 * assertEquals(loss.forward(zeros([2, 3]), zeros([2], { dtype: "int32" })).shape, []);
 * ```
 */
export class MultiMarginLoss extends Module {
  /** Weight of each class. */
  weight: Tensor | undefined;
  readonly #options: MultiMarginLossOptions;

  /**
   * Makes the module.
   *
   * @param options Weights, reduction and settings.
   */
  constructor(options: MultiMarginLossOptions = {}) {
    super();
    const { weight, ...rest } = options;
    this.weight = this.registerBuffer("weight", weight);
    this.#options = rest;
  }

  /** The loss; a scalar unless `reduction` is `"none"`. @throws {ShapeError} If shapes do not fit. */
  forward(input: Tensor, target: Tensor): Tensor {
    return multiMarginLoss(input, target, { ...this.#options, weight: this.weight });
  }
}
