/** Padding with values. */
import { PadBase } from "./padding_base.ts";

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
