/** Padding with the input itself. */
import { PadBase } from "./padding_base.ts";

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
