/** Schedules that follow cosines. */
import { checkPositive, LRScheduler, type ScheduledOptimizer } from "./schedulers.ts";

/**
 * A cosine from the first learning rate to `etaMin` in `tMax` steps, without restarts (Loshchilov
 * and Hutter 2017); like `torch.optim.lr_scheduler.CosineAnnealingLR`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { CosineAnnealingLR, SGD } from "@tensaurus/core/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const optimizer = new SGD([zeros([1], { requiresGrad: true })], { lr: 1 });
 * const scheduler = new CosineAnnealingLR(optimizer, 2);
 * scheduler.step();
 * assertAlmostEquals(optimizer.paramGroups[0]!.lr, 0.5);
 * ```
 */
export class CosineAnnealingLR extends LRScheduler {
  readonly #tMax: number;
  readonly #etaMin: number;

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param tMax Steps of half a period.
   * @param options Lowest learning rate (default 0).
   * @throws {RangeError} If `tMax` is not positive.
   */
  constructor(
    optimizer: ScheduledOptimizer,
    tMax: number,
    options: { etaMin?: number | undefined } = {},
  ) {
    super(optimizer);
    checkPositive("CosineAnnealingLR", "tMax", tMax);
    this.#tMax = tMax;
    this.#etaMin = options.etaMin ?? 0;
    this.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    const at = this.lastEpoch, tMax = this.#tMax, low = this.#etaMin;
    const lrs = this.currentLrs();
    if (at === 0) return lrs;
    if ((at - 1 - tMax) % (2 * tMax) === 0) {
      const rise = (1 - Math.cos(Math.PI / tMax)) / 2;
      return this.baseLrs.map((base, i) => lrs[i]! + (base - low) * rise);
    }
    const factor = (1 + Math.cos(Math.PI * at / tMax)) /
      (1 + Math.cos(Math.PI * (at - 1) / tMax));
    return this.baseLrs.map((_, i) => factor * (lrs[i]! - low) + low);
  }
}

/** Options of {@linkcode CosineAnnealingWarmRestarts}. */
export interface WarmRestartOptions {
  /** Growth of the period at each restart. @default 1 */
  tMult?: number | undefined;
  /** Lowest learning rate. @default 0 */
  etaMin?: number | undefined;
}

/** Cosines that start over, in longer and longer periods; like `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`. */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly #tMult: number;
  readonly #etaMin: number;
  /** Steps of the current period. */
  period: number;
  /** Steps since the last restart. */
  sinceRestart: number;

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param t0 Steps until the first restart.
   * @param options Growth of the period, lowest learning rate.
   * @throws {RangeError} If a number of steps is not positive.
   */
  constructor(optimizer: ScheduledOptimizer, t0: number, options: WarmRestartOptions = {}) {
    super(optimizer);
    checkPositive("CosineAnnealingWarmRestarts", "t0", t0);
    checkPositive("CosineAnnealingWarmRestarts", "tMult", options.tMult ?? 1);
    this.period = t0;
    this.sinceRestart = -1;
    this.#tMult = options.tMult ?? 1;
    this.#etaMin = options.etaMin ?? 0;
    this.step();
  }

  /** Names of the fields that change from step to step. */
  override counterNames(): readonly string[] {
    return ["period", "sinceRestart"];
  }

  /** Moves on by one step. */
  override step(): void {
    this.sinceRestart++;
    if (this.sinceRestart >= this.period) {
      this.sinceRestart -= this.period;
      this.period *= this.#tMult;
    }
    super.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    const share = (1 + Math.cos(Math.PI * this.sinceRestart / this.period)) / 2;
    return this.baseLrs.map((lr) => this.#etaMin + (lr - this.#etaMin) * share);
  }
}
