/** Activations that limit, shrink or share. */
import {
  hardshrink,
  hardsigmoid,
  hardswish,
  hardtanh,
  logSoftmax,
  softmax,
  softmin,
  softshrink,
  softsign,
  tanhshrink,
  type Tensor,
  threshold,
} from "../ops/mod.ts";
import { Module } from "./module.ts";

/**
 * `x / (1 + |x|)`, like `torch.nn.Softsign`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Softsign } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Softsign().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Softsign extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return softsign(x);
  }
}

/**
 * `x − tanh(x)`, like `torch.nn.Tanhshrink`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Tanhshrink } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Tanhshrink().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Tanhshrink extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return tanhshrink(x);
  }
}

/** Options of {@linkcode Hardtanh}. */
export interface HardtanhOptions {
  /** Lowest value. @default -1 */
  minVal?: number | undefined;
  /** Highest value. @default 1 */
  maxVal?: number | undefined;
}

/**
 * `x` limited to an interval, like `torch.nn.Hardtanh`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Hardtanh } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Hardtanh().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Hardtanh extends Module {
  readonly #options: HardtanhOptions;

  /**
   * Makes the module.
   *
   * @param options Settings.
   */
  constructor(options: HardtanhOptions = {}) {
    super();
    this.#options = options;
  }

  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return hardtanh(x, this.#options.minVal, this.#options.maxVal);
  }
}

/**
 * `min(max(x / 6 + 1/2, 0), 1)`, like `torch.nn.Hardsigmoid`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Hardsigmoid } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Hardsigmoid().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Hardsigmoid extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return hardsigmoid(x);
  }
}

/**
 * `x · hardsigmoid(x)` (Howard et al. 2019), like `torch.nn.Hardswish`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Hardswish } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Hardswish().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Hardswish extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return hardswish(x);
  }
}

/**
 * `x` outside ±lambd, else 0, like `torch.nn.Hardshrink`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Hardshrink } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Hardshrink().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Hardshrink extends Module {
  readonly #lambd: number;

  /**
   * Makes the module.
   *
   * @param lambd Half of the interval that becomes 0.
   */
  constructor(lambd: number = 0.5) {
    super();
    this.#lambd = lambd;
  }

  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return hardshrink(x, this.#lambd);
  }
}

/**
 * `x` moved towards 0 by lambd, like `torch.nn.Softshrink`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Softshrink } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Softshrink().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Softshrink extends Module {
  readonly #lambd: number;

  /**
   * Makes the module.
   *
   * @param lambd How far.
   */
  constructor(lambd: number = 0.5) {
    super();
    this.#lambd = lambd;
  }

  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return softshrink(x, this.#lambd);
  }
}

/**
 * `x` above a threshold, else a value, like `torch.nn.Threshold`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Threshold } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Threshold(0.5, 0.5).forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Threshold extends Module {
  readonly #threshold: number;
  readonly #value: number;

  /**
   * Makes the module.
   *
   * @param threshold Threshold.
   * @param value Value at and below it.
   */
  constructor(threshold: number, value: number) {
    super();
    this.#threshold = threshold;
    this.#value = value;
  }

  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return threshold(x, this.#threshold, this.#value);
  }
}

/**
 * Exponentials that add up to 1 along an axis, like `torch.nn.Softmax`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Softmax } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Softmax(1).forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Softmax extends Module {
  readonly #dim: number;

  /**
   * Makes the module.
   *
   * @param dim Axis.
   */
  constructor(dim: number) {
    super();
    this.#dim = dim;
  }

  /** The function of each slice. */
  forward(x: Tensor): Tensor {
    return softmax(x, this.#dim);
  }
}

/**
 * Logarithm of the softmax, like `torch.nn.LogSoftmax`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { LogSoftmax } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new LogSoftmax(1).forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class LogSoftmax extends Module {
  readonly #dim: number;

  /**
   * Makes the module.
   *
   * @param dim Axis.
   */
  constructor(dim: number) {
    super();
    this.#dim = dim;
  }

  /** The function of each slice. */
  forward(x: Tensor): Tensor {
    return logSoftmax(x, this.#dim);
  }
}

/**
 * Softmax of `−x`, like `torch.nn.Softmin`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Softmin } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Softmin(1).forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Softmin extends Module {
  readonly #dim: number;

  /**
   * Makes the module.
   *
   * @param dim Axis.
   */
  constructor(dim: number) {
    super();
    this.#dim = dim;
  }

  /** The function of each slice. */
  forward(x: Tensor): Tensor {
    return softmin(x, this.#dim);
  }
}
