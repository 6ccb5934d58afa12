/** Schedules that go from one factor to another. */
import { rangeError } from "../ops/check.ts";
import { LRScheduler, type ScheduledOptimizer } from "./schedulers.ts";

/** Options of {@linkcode LinearLR}. */
export interface LinearLROptions {
  /** Factor at the start, above 0. @default 1 / 3 */
  startFactor?: number | undefined;
  /** Factor at the end. @default 1 */
  endFactor?: number | undefined;
  /** Steps from start to end. @default 5 */
  totalIters?: number | undefined;
}

/** A factor that goes linearly from one value to another (a warm-up), like `torch.optim.lr_scheduler.LinearLR`. */
export class LinearLR extends LRScheduler {
  readonly #start: number;
  readonly #end: number;
  readonly #total: number;

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param options Factors and number of steps.
   * @throws {RangeError} If a factor is not allowed.
   */
  constructor(optimizer: ScheduledOptimizer, options: LinearLROptions = {}) {
    super(optimizer);
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5 } = options;
    if (!(startFactor > 0 && startFactor <= 1) || !(endFactor >= 0 && endFactor <= 1)) {
      throw rangeError("LinearLR", `factors ${startFactor} and ${endFactor} are not within 0 to 1`);
    }
    this.#start = startFactor;
    this.#end = endFactor;
    this.#total = totalIters;
    this.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    const rise = this.#end - this.#start;
    const before = this.#total * this.#start + (this.lastEpoch - 1) * rise;
    let factor = 1;
    if (this.lastEpoch === 0) factor = this.#start;
    else if (this.lastEpoch <= this.#total) factor = 1 + rise / before;
    return this.currentLrs().map((lr) => lr * factor);
  }
}

/** A factor for the first steps, like `torch.optim.lr_scheduler.ConstantLR`. */
export class ConstantLR extends LRScheduler {
  readonly #factor: number;
  readonly #total: number;

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param options Factor (default 1 / 3) and number of steps (default 5).
   * @throws {RangeError} If the factor is not within 0 to 1.
   */
  constructor(
    optimizer: ScheduledOptimizer,
    options: { factor?: number | undefined; totalIters?: number | undefined } = {},
  ) {
    super(optimizer);
    this.#factor = options.factor ?? 1 / 3;
    this.#total = options.totalIters ?? 5;
    if (!(this.#factor > 0 && this.#factor <= 1)) {
      throw rangeError("ConstantLR", `factor ${this.#factor} is not within 0 to 1`);
    }
    this.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    let factor = 1;
    if (this.lastEpoch === 0) factor = this.#factor;
    else if (this.lastEpoch === this.#total) factor = 1 / this.#factor;
    return this.currentLrs().map((lr) => lr * factor);
  }
}

/** A fall to zero by a power, like `torch.optim.lr_scheduler.PolynomialLR`. */
export class PolynomialLR extends LRScheduler {
  readonly #total: number;
  readonly #power: number;

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param options Number of steps (default 5) and power (default 1).
   */
  constructor(
    optimizer: ScheduledOptimizer,
    options: { totalIters?: number | undefined; power?: number | undefined } = {},
  ) {
    super(optimizer);
    this.#total = options.totalIters ?? 5;
    this.#power = options.power ?? 1;
    this.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    const at = this.lastEpoch, total = this.#total;
    if (at === 0 || at > total) return this.currentLrs();
    const factor = ((1 - at / total) / (1 - (at - 1) / total)) ** this.#power;
    return this.currentLrs().map((lr) => lr * factor);
  }
}
