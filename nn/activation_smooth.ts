/** Smooth activations. */
import {
  gelu,
  glu,
  logsigmoid,
  mish,
  sigmoid,
  silu,
  softplus,
  tanh,
  type Tensor,
} from "../ops/mod.ts";
import { Module } from "./module.ts";

/** Options of {@linkcode GELU}. */
export interface GELUOptions {
  /** Use the tanh formula. @default "none" */
  approximate?: "none" | "tanh" | undefined;
}

/**
 * Gaussian error linear unit (Hendrycks and Gimpel 2016), like `torch.nn.GELU`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { GELU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new GELU().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class GELU extends Module {
  readonly #options: GELUOptions;

  /**
   * Makes the module.
   *
   * @param options Settings.
   */
  constructor(options: GELUOptions = {}) {
    super();
    this.#options = options;
  }

  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return gelu(x, this.#options);
  }
}

/**
 * `x · sigmoid(x)`, like `torch.nn.SiLU`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { SiLU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new SiLU().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class SiLU extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/**
 * `x · tanh(softplus(x))` (Misra 2019), like `torch.nn.Mish`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Mish } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Mish().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Mish extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return mish(x);
  }
}

/**
 * `1 / (1 + exp(−x))`, like `torch.nn.Sigmoid`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Sigmoid } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Sigmoid().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Sigmoid extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/**
 * Hyperbolic tangent, like `torch.nn.Tanh`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Tanh } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Tanh().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Tanh extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** Options of {@linkcode Softplus}. */
export interface SoftplusOptions {
  /** Sharpness. @default 1 */
  beta?: number | undefined;
  /** `beta · x` above which the function is linear. @default 20 */
  threshold?: number | undefined;
}

/**
 * `log(1 + exp(beta · x)) / beta`, like `torch.nn.Softplus`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Softplus } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Softplus().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class Softplus extends Module {
  readonly #options: SoftplusOptions;

  /**
   * Makes the module.
   *
   * @param options Settings.
   */
  constructor(options: SoftplusOptions = {}) {
    super();
    this.#options = options;
  }

  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return softplus(x, this.#options);
  }
}

/**
 * Logarithm of the sigmoid, like `torch.nn.LogSigmoid`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { LogSigmoid } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new LogSigmoid().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class LogSigmoid extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return logsigmoid(x);
  }
}

/**
 * First half of an axis times the sigmoid of the second (Dauphin et al. 2017), like `torch.nn.GLU`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { GLU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new GLU().forward(zeros([2, 4])).shape, [2, 2]);
 * ```
 */
export class GLU extends Module {
  readonly #dim: number;

  /**
   * Makes the module.
   *
   * @param dim Axis.
   */
  constructor(dim: number = -1) {
    super();
    this.#dim = dim;
  }

  /** The function of each slice. */
  forward(x: Tensor): Tensor {
    return glu(x, this.#dim);
  }
}
