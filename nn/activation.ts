/** Activations that let positive values through. */
import { celu, elu, leakyRelu, prelu, relu, relu6, rrelu, selu, type Tensor } from "../ops/mod.ts";
import { checkCount } from "./_check.ts";
import { constantParameter } from "./_factory.ts";
import { type FactoryOptions, Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/**
 * `max(x, 0)`, like `torch.nn.ReLU`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ReLU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ReLU().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class ReLU extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/**
 * `min(max(x, 0), 6)`, like `torch.nn.ReLU6`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ReLU6 } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ReLU6().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class ReLU6 extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return relu6(x);
  }
}

/**
 * `x` above 0, a small multiple of it below, like `torch.nn.LeakyReLU`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { LeakyReLU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new LeakyReLU().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class LeakyReLU extends Module {
  readonly #negativeSlope: number;

  /**
   * Makes the module.
   *
   * @param negativeSlope Slope below 0.
   */
  constructor(negativeSlope: number = 0.01) {
    super();
    this.#negativeSlope = negativeSlope;
  }

  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return leakyRelu(x, this.#negativeSlope);
  }
}

/** Options of {@linkcode ELU}. */
export interface ELUOptions {
  /** Value far below 0, negated. @default 1 */
  alpha?: number | undefined;
}

/**
 * Exponential linear unit (Clevert et al. 2016), like `torch.nn.ELU`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ELU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ELU().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class ELU extends Module {
  readonly #options: ELUOptions;

  /**
   * Makes the module.
   *
   * @param options Settings.
   */
  constructor(options: ELUOptions = {}) {
    super();
    this.#options = options;
  }

  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return elu(x, this.#options.alpha);
  }
}

/** Options of {@linkcode CELU}. */
export interface CELUOptions {
  /** Value far below 0, negated. @default 1 */
  alpha?: number | undefined;
}

/**
 * Continuously differentiable ELU (Barron 2017), like `torch.nn.CELU`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { CELU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new CELU().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class CELU extends Module {
  readonly #options: CELUOptions;

  /**
   * Makes the module.
   *
   * @param options Settings.
   */
  constructor(options: CELUOptions = {}) {
    super();
    this.#options = options;
  }

  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return celu(x, this.#options.alpha);
  }
}

/**
 * Self-normalizing ELU (Klambauer et al. 2017), like `torch.nn.SELU`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { SELU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new SELU().forward(zeros([2, 4])).shape, [2, 4]);
 * ```
 */
export class SELU extends Module {
  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return selu(x);
  }
}

/** Options of {@linkcode PReLU}. */
export interface PReLUOptions extends FactoryOptions {
  /** Slope at the start. @default 0.25 */
  init?: number | undefined;
}

/**
 * `x` above 0, a learned multiple of it below (He et al. 2015), like `torch.nn.PReLU`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { PReLU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals((await new PReLU().forward(tensor([-4, 4])).tolist()), [-1, 4]);
 * ```
 */
export class PReLU extends Module {
  /** Slope below 0, one for all or one per channel. */
  weight: Parameter;

  /**
   * Makes the module.
   *
   * @param numParameters 1, or the number of channels.
   * @param options First slope, dtype, device.
   * @throws {RangeError} If `numParameters` is not positive.
   */
  constructor(numParameters = 1, options: PReLUOptions = {}) {
    super();
    checkCount("PReLU", "numParameters", numParameters);
    this.weight = constantParameter([numParameters], options.init ?? 0.25, options);
  }

  /** The function of each element. */
  forward(x: Tensor): Tensor {
    return prelu(x, this.weight);
  }
}

/** Options of {@linkcode RReLU}. */
export interface RReLULayerOptions {
  /** Least slope. @default 1 / 8 */
  lower?: number | undefined;
  /** Greatest slope. @default 1 / 3 */
  upper?: number | undefined;
}

/**
 * `x` where positive, else `x` times a slope: random while training, else the mean (Xu et al. 2015),
 * like `torch.nn.RReLU`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { RReLU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const layer = new RReLU({ lower: 0.25, upper: 0.75 });
 * layer.eval();
 * assertEquals(await layer.forward(tensor([-1, 2])).tolist(), [-0.5, 2]);
 * ```
 */
export class RReLU extends Module {
  readonly #lower: number;
  readonly #upper: number;

  /**
   * Makes the module.
   *
   * @param options The slopes.
   */
  constructor(options: RReLULayerOptions = {}) {
    super();
    const { lower = 1 / 8, upper = 1 / 3 } = options;
    this.#lower = lower;
    this.#upper = upper;
  }

  /** The function of each element. @throws {RangeError} If the least slope is the greater one. */
  forward(x: Tensor): Tensor {
    return rrelu(x, { lower: this.#lower, upper: this.#upper, training: this.training });
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `lower=${this.#lower}, upper=${this.#upper}`;
  }
}
