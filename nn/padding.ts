import { pad, type PaddingMode, type Tensor } from "../ops/mod.ts";
import { rangeError } from "../ops/check.ts";
import { Module } from "./module.ts";

/** What the padding modules have in common. */
export abstract class PadBase extends Module {
  readonly #padding: readonly number[];
  readonly #mode: PaddingMode;
  readonly #value: number;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param rank Number of spatial axes.
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @param mode What fills the space.
   * @param value Fill of the constant mode.
   */
  constructor(
    name: string,
    rank: number,
    padding: number | readonly number[],
    mode: PaddingMode,
    value = 0,
  ) {
    super();
    const widths = typeof padding === "number"
      ? new Array<number>(2 * rank).fill(padding)
      : padding;
    if (widths.length !== 2 * rank) {
      throw rangeError(name, `padding needs ${2 * rank} widths, not ${widths.length}`);
    }
    this.#padding = widths;
    this.#mode = mode;
    this.#value = value;
  }

  /** The input with its surroundings. @throws {ShapeError} If it has too few dimensions. */
  forward(x: Tensor): Tensor {
    return pad(x, this.#padding, { mode: this.#mode, value: this.#value });
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `[${this.#padding.join(", ")}]`;
  }
}

/**
 * One value around 1 spatial axis, like `torch.nn.ConstantPad1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ConstantPad1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ConstantPad1d(1, 7).forward(zeros([2, 4, 3])).shape, [2, 4, 5]);
 * ```
 */
export class ConstantPad1d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @param value What is filled in.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[], value: number) {
    super("ConstantPad1d", 1, padding, "constant", value);
  }
}

/**
 * One value around 2 spatial axes, like `torch.nn.ConstantPad2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ConstantPad2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ConstantPad2d(1, 7).forward(zeros([2, 4, 3, 3])).shape, [2, 4, 5, 5]);
 * ```
 */
export class ConstantPad2d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @param value What is filled in.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[], value: number) {
    super("ConstantPad2d", 2, padding, "constant", value);
  }
}

/**
 * One value around 3 spatial axes, like `torch.nn.ConstantPad3d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ConstantPad3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ConstantPad3d(1, 7).forward(zeros([2, 4, 3, 3, 3])).shape, [2, 4, 5, 5, 5]);
 * ```
 */
export class ConstantPad3d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @param value What is filled in.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[], value: number) {
    super("ConstantPad3d", 3, padding, "constant", value);
  }
}

/**
 * Zeros around 1 spatial axis, like `torch.nn.ZeroPad1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ZeroPad1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ZeroPad1d(1).forward(zeros([2, 4, 3])).shape, [2, 4, 5]);
 * ```
 */
export class ZeroPad1d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("ZeroPad1d", 1, padding, "constant");
  }
}

/**
 * Zeros around 2 spatial axes, like `torch.nn.ZeroPad2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ZeroPad2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ZeroPad2d(1).forward(zeros([2, 4, 3, 3])).shape, [2, 4, 5, 5]);
 * ```
 */
export class ZeroPad2d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("ZeroPad2d", 2, padding, "constant");
  }
}

/**
 * Zeros around 3 spatial axes, like `torch.nn.ZeroPad3d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ZeroPad3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ZeroPad3d(1).forward(zeros([2, 4, 3, 3, 3])).shape, [2, 4, 5, 5, 5]);
 * ```
 */
export class ZeroPad3d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("ZeroPad3d", 3, padding, "constant");
  }
}

/**
 * The input mirrored at its border around 1 spatial axis, like `torch.nn.ReflectionPad1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ReflectionPad1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ReflectionPad1d(1).forward(zeros([2, 4, 3])).shape, [2, 4, 5]);
 * ```
 */
export class ReflectionPad1d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("ReflectionPad1d", 1, padding, "reflect");
  }
}

/**
 * The input mirrored at its border around 2 spatial axes, like `torch.nn.ReflectionPad2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ReflectionPad2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ReflectionPad2d(1).forward(zeros([2, 4, 3, 3])).shape, [2, 4, 5, 5]);
 * ```
 */
export class ReflectionPad2d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("ReflectionPad2d", 2, padding, "reflect");
  }
}

/**
 * The input mirrored at its border around 3 spatial axes, like `torch.nn.ReflectionPad3d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ReflectionPad3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ReflectionPad3d(1).forward(zeros([2, 4, 3, 3, 3])).shape, [2, 4, 5, 5, 5]);
 * ```
 */
export class ReflectionPad3d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("ReflectionPad3d", 3, padding, "reflect");
  }
}

/**
 * The border repeated around 1 spatial axis, like `torch.nn.ReplicationPad1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ReplicationPad1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ReplicationPad1d(1).forward(zeros([2, 4, 3])).shape, [2, 4, 5]);
 * ```
 */
export class ReplicationPad1d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("ReplicationPad1d", 1, padding, "replicate");
  }
}

/**
 * The border repeated around 2 spatial axes, like `torch.nn.ReplicationPad2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ReplicationPad2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ReplicationPad2d(1).forward(zeros([2, 4, 3, 3])).shape, [2, 4, 5, 5]);
 * ```
 */
export class ReplicationPad2d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("ReplicationPad2d", 2, padding, "replicate");
  }
}

/**
 * The border repeated around 3 spatial axes, like `torch.nn.ReplicationPad3d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ReplicationPad3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ReplicationPad3d(1).forward(zeros([2, 4, 3, 3, 3])).shape, [2, 4, 5, 5, 5]);
 * ```
 */
export class ReplicationPad3d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("ReplicationPad3d", 3, padding, "replicate");
  }
}

/**
 * The opposite side around 1 spatial axis, like `torch.nn.CircularPad1d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { CircularPad1d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new CircularPad1d(1).forward(zeros([2, 4, 3])).shape, [2, 4, 5]);
 * ```
 */
export class CircularPad1d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("CircularPad1d", 1, padding, "circular");
  }
}

/**
 * The opposite side around 2 spatial axes, like `torch.nn.CircularPad2d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { CircularPad2d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new CircularPad2d(1).forward(zeros([2, 4, 3, 3])).shape, [2, 4, 5, 5]);
 * ```
 */
export class CircularPad2d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("CircularPad2d", 2, padding, "circular");
  }
}

/**
 * The opposite side around 3 spatial axes, like `torch.nn.CircularPad3d`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { CircularPad3d } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new CircularPad3d(1).forward(zeros([2, 4, 3, 3, 3])).shape, [2, 4, 5, 5, 5]);
 * ```
 */
export class CircularPad3d extends PadBase {
  /**
   * Makes the module.
   *
   * @param padding Width on all sides, or before and after each axis, the last one first.
   * @throws {RangeError} If the number of widths does not fit.
   */
  constructor(padding: number | readonly number[]) {
    super("CircularPad3d", 3, padding, "circular");
  }
}
