/** Schedulers of schedulers, and the one that follows a metric. */
import { checkChoice, rangeError, stateError } from "../ops/check.ts";
import {
  type LRScheduler,
  perGroup,
  type ScheduledOptimizer,
  type SchedulerState,
} from "./schedulers.ts";

/**
 * Schedulers that take turns, like `torch.optim.lr_scheduler.SequentialLR`.
 *
 * @example A warm-up, then a cosine
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { CosineAnnealingLR, LinearLR, SequentialLR, SGD } from "@tensaurus/core/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const optimizer = new SGD([zeros([1], { requiresGrad: true })], { lr: 1 });
 * const warmup = new LinearLR(optimizer, { startFactor: 0.5, totalIters: 2 });
 * const cosine = new CosineAnnealingLR(optimizer, 10);
 * const scheduler = new SequentialLR(optimizer, [warmup, cosine], [2]);
 * const lrs = [0, 1].map(() => {
 *   scheduler.step();
 *   return optimizer.paramGroups[0]!.lr;
 * });
 * assertEquals(lrs, [0.75, 1]);
 * ```
 */
export class SequentialLR {
  readonly #schedulers: readonly LRScheduler[];
  readonly #milestones: readonly number[];
  /** Number of steps so far. */
  lastEpoch = 0;

  /**
   * Makes the scheduler.
   *
   * @param optimizer The optimizer of all schedulers.
   * @param schedulers Schedulers in order.
   * @param milestones Steps at which the second and later ones begin.
   * @throws {Error} If the numbers of schedulers and milestones do not fit, or optimizers differ.
   */
  constructor(
    optimizer: ScheduledOptimizer,
    schedulers: readonly LRScheduler[],
    milestones: readonly number[],
  ) {
    checkSame("SequentialLR", optimizer, schedulers);
    if (milestones.length !== schedulers.length - 1) {
      throw stateError(
        "SequentialLR",
        `${schedulers.length} schedulers need ${
          schedulers.length - 1
        } milestones, not ${milestones.length}`,
      );
    }
    this.#schedulers = schedulers;
    this.#milestones = milestones;
    schedulers[0]!.restart();
  }

  #active(): number {
    return this.#milestones.filter((at) => at <= this.lastEpoch).length;
  }

  /** Moves on by one step. */
  step(): void {
    this.lastEpoch++;
    const active = this.#active();
    if (active > 0 && this.#milestones[active - 1] === this.lastEpoch) {
      this.#schedulers[active]!.restart();
    } else this.#schedulers[active]!.step();
  }

  /** Learning rates that were set last. */
  getLastLr(): readonly number[] {
    return this.#schedulers[this.#active()]!.getLastLr();
  }

  /** What is needed to continue. */
  stateDict(): SchedulerState {
    return {
      lastEpoch: this.lastEpoch,
      schedulers: this.#schedulers.map((scheduler) => scheduler.stateDict()),
    };
  }

  /** Continues from a saved state. */
  loadStateDict(saved: SchedulerState): void {
    this.lastEpoch = saved.lastEpoch as number;
    loadAll(this.#schedulers, saved);
  }
}

function loadAll(schedulers: readonly LRScheduler[], saved: SchedulerState): void {
  const states = saved.schedulers as readonly SchedulerState[];
  for (const [i, scheduler] of schedulers.entries()) scheduler.loadStateDict(states[i]!);
}

function checkSame(
  name: string,
  optimizer: ScheduledOptimizer | undefined,
  schedulers: readonly LRScheduler[],
): void {
  if (!schedulers.length) throw stateError(name, "there are no schedulers");
  if (schedulers.some((scheduler) => scheduler.optimizer !== optimizer)) {
    throw stateError(name, "the schedulers belong to different optimizers");
  }
}

/** Schedulers whose factors multiply, like `torch.optim.lr_scheduler.ChainedScheduler`. */
export class ChainedScheduler {
  readonly #schedulers: readonly LRScheduler[];

  /**
   * Makes the scheduler.
   *
   * @param schedulers Schedulers of one optimizer.
   */
  constructor(schedulers: readonly LRScheduler[]) {
    checkSame("ChainedScheduler", schedulers[0]?.optimizer, schedulers);
    this.#schedulers = schedulers;
  }

  /** Moves all on by one step. */
  step(): void {
    for (const scheduler of this.#schedulers) scheduler.step();
  }

  /** Learning rates that were set last. */
  getLastLr(): readonly number[] {
    return this.#schedulers.at(-1)!.currentLrs();
  }

  /** What is needed to continue. */
  stateDict(): SchedulerState {
    return { schedulers: this.#schedulers.map((scheduler) => scheduler.stateDict()) };
  }

  /** Continues from a saved state. */
  loadStateDict(saved: SchedulerState): void {
    loadAll(this.#schedulers, saved);
  }
}

/** Options of {@linkcode ReduceLROnPlateau}. */
export interface PlateauOptions {
  /** Whether a lower or a higher metric is better. @default "min" */
  mode?: "min" | "max" | undefined;
  /** Factor of a reduction. @default 0.1 */
  factor?: number | undefined;
  /** Steps without improvement that are tolerated. @default 10 */
  patience?: number | undefined;
  /** Smallest change that counts as an improvement. @default 1e-4 */
  threshold?: number | undefined;
  /** Whether `threshold` is relative to the best value. @default "rel" */
  thresholdMode?: "rel" | "abs" | undefined;
  /** Steps after a reduction that are not counted. @default 0 */
  cooldown?: number | undefined;
  /** Lowest learning rate, of all groups or of each. @default 0 */
  minLr?: number | readonly number[] | undefined;
  /** Changes smaller than this are not made. @default 1e-8 */
  eps?: number | undefined;
}

/**
 * Reduces the learning rate when a metric stops improving, like
 * `torch.optim.lr_scheduler.ReduceLROnPlateau`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { ReduceLROnPlateau, SGD } from "@tensaurus/core/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const optimizer = new SGD([zeros([1], { requiresGrad: true })], { lr: 1 });
 * const scheduler = new ReduceLROnPlateau(optimizer, { patience: 0, factor: 0.5 });
 * scheduler.step(1);
 * scheduler.step(1);
 * assertEquals(optimizer.paramGroups[0]!.lr, 0.5);
 * ```
 */
export class ReduceLROnPlateau {
  readonly #optimizer: ScheduledOptimizer;
  readonly #options: { readonly [K in keyof PlateauOptions]-?: NonNullable<PlateauOptions[K]> };
  /** Best metric so far; `undefined` before there is one. */
  #best: number | undefined;
  #badEpochs = 0;
  #cooldown = 0;
  /** Number of steps so far. */
  lastEpoch = 0;

  /**
   * Makes the scheduler.
   *
   * @param optimizer The optimizer.
   * @param options When and how much.
   * @throws {RangeError} If `factor` is not below 1.
   */
  constructor(optimizer: ScheduledOptimizer, options: PlateauOptions = {}) {
    this.#optimizer = optimizer;
    this.#options = {
      mode: options.mode ?? "min",
      factor: options.factor ?? 0.1,
      patience: options.patience ?? 10,
      threshold: options.threshold ?? 1e-4,
      thresholdMode: options.thresholdMode ?? "rel",
      cooldown: options.cooldown ?? 0,
      minLr: options.minLr ?? 0,
      eps: options.eps ?? 1e-8,
    };
    checkChoice("ReduceLROnPlateau", "mode", this.#options.mode, ["min", "max"]);
    checkChoice("ReduceLROnPlateau", "thresholdMode", this.#options.thresholdMode, ["rel", "abs"]);
    if (!(this.#options.factor < 1)) {
      throw rangeError("ReduceLROnPlateau", `factor ${this.#options.factor} is not below 1`);
    }
    this.#lowest();
  }

  #lowest(): readonly number[] {
    const { length } = this.#optimizer.paramGroups;
    return perGroup("ReduceLROnPlateau", "lowest rates", this.#options.minLr, length);
  }

  #improves(value: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const sign = mode === "min" ? -1 : 1;
    const best = this.#best ?? -sign * Infinity;
    const bar = thresholdMode === "rel" ? best * (1 + sign * threshold) : best + sign * threshold;
    return mode === "min" ? value < bar : value > bar;
  }

  /** Takes the metric of one step. */
  step(metric: number): void {
    this.lastEpoch++;
    const { cooldown, patience, factor, eps } = this.#options;
    if (this.#improves(metric)) {
      this.#best = metric;
      this.#badEpochs = 0;
    } else this.#badEpochs++;
    if (this.#cooldown > 0) {
      this.#cooldown--;
      this.#badEpochs = 0;
    }
    if (this.#badEpochs <= patience) return;
    for (const [i, least] of this.#lowest().entries()) {
      const group = this.#optimizer.paramGroups[i]!;
      const lr = Math.max(group.lr * factor, least);
      if (group.lr - lr > eps) group.lr = lr;
    }
    this.#cooldown = cooldown;
    this.#badEpochs = 0;
  }

  /** Learning rates in the groups now. */
  getLastLr(): readonly number[] {
    return this.#optimizer.paramGroups.map((group) => group.lr);
  }

  /** What is needed to continue. */
  stateDict(): SchedulerState {
    return {
      lastEpoch: this.lastEpoch,
      best: this.#best,
      badEpochs: this.#badEpochs,
      cooldown: this.#cooldown,
    };
  }

  /** Continues from a saved state. */
  loadStateDict(saved: SchedulerState): void {
    this.lastEpoch = saved.lastEpoch as number;
    this.#best = saved.best as number | undefined;
    this.#badEpochs = saved.badEpochs as number;
    this.#cooldown = saved.cooldown as number;
  }
}
