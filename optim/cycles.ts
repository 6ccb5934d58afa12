/** Schedules in cycles, with momentum against the learning rate. */
import { checkChoice, rangeError, stateError } from "../ops/check.ts";
import { checkPositive, LRScheduler, perGroup, type ScheduledOptimizer } from "./schedulers.ts";

/** Settings whose momentum a schedule moves against the learning rate. */
interface MomentumGroup {
  momentum?: number;
  betas?: readonly [number, number];
}

function setMomentum(group: MomentumGroup, value: number): void {
  if (group.betas) group.betas = [value, group.betas[1]];
  else group.momentum = value;
}

/** A number for all groups, or one for each. */
export type PerGroup = number | readonly number[];

/** Momentum of the groups between a lowest and a highest value. */
class MomentumRange {
  readonly #groups: readonly MomentumGroup[];
  readonly #base: readonly number[];
  readonly #max: readonly number[];

  constructor(name: string, optimizer: ScheduledOptimizer, base: PerGroup, max: PerGroup) {
    this.#groups = optimizer.paramGroups as readonly MomentumGroup[];
    if (!this.#groups.every((group) => group.betas || group.momentum !== undefined)) {
      throw stateError(name, "the optimizer has no momentum", "pass { cycleMomentum: false }");
    }
    this.#base = perGroup(name, "base momenta", base, this.#groups.length);
    this.#max = perGroup(name, "highest momenta", max, this.#groups.length);
  }

  /** Sets what `between` gives for the lowest and the highest value of each group. */
  set(between: (base: number, max: number) => number): void {
    for (const [i, base] of this.#base.entries()) {
      setMomentum(this.#groups[i]!, between(base, this.#max[i]!));
    }
  }
}

/** Options of {@linkcode OneCycleLR}. */
export interface OneCycleLROptions {
  /** Steps of the whole cycle. @default epochs × stepsPerEpoch */
  totalSteps?: number | undefined;
  /** Number of epochs, if `totalSteps` is absent. */
  epochs?: number | undefined;
  /** Steps of an epoch, if `totalSteps` is absent. */
  stepsPerEpoch?: number | undefined;
  /** Share of the steps in which the rate rises. @default 0.3 */
  pctStart?: number | undefined;
  /** Form of the slopes. @default "cos" */
  annealStrategy?: "cos" | "linear" | undefined;
  /** Whether momentum moves against the rate. @default true */
  cycleMomentum?: boolean | undefined;
  /** Lowest momentum. @default 0.85 */
  baseMomentum?: PerGroup | undefined;
  /** Highest momentum. @default 0.95 */
  maxMomentum?: PerGroup | undefined;
  /** Highest rate over the first. @default 25 */
  divFactor?: number | undefined;
  /** First rate over the last. @default 1e4 */
  finalDivFactor?: number | undefined;
  /** Whether the rate falls as long as it rose, then to the last value. @default false */
  threePhase?: boolean | undefined;
}

/**
 * One rise and fall (Smith and Topin 2018), like `torch.optim.lr_scheduler.OneCycleLR`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { Adam, OneCycleLR } from "@tensaurus/core/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const optimizer = new Adam([zeros([1], { requiresGrad: true })]);
 * new OneCycleLR(optimizer, 0.1, { totalSteps: 100 });
 * assertAlmostEquals(optimizer.paramGroups[0]!.lr, 0.1 / 25);
 * ```
 */
export class OneCycleLR extends LRScheduler {
  readonly #total: number;
  readonly #phases: readonly { readonly end: number; readonly from: Level; readonly to: Level }[];
  readonly #maxLrs: readonly number[];
  readonly #options: { readonly divFactor: number; readonly finalDivFactor: number };
  readonly #linear: boolean;
  readonly #momentum: MomentumRange | undefined;

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param maxLr Highest learning rate, or one per group.
   * @param options Number of steps, form.
   * @throws {RangeError} If the number of steps is not known or not positive.
   */
  constructor(
    optimizer: ScheduledOptimizer,
    maxLr: PerGroup,
    options: OneCycleLROptions = {},
  ) {
    super(optimizer);
    const { epochs, stepsPerEpoch, pctStart = 0.3 } = options;
    this.#total = options.totalSteps ?? (epochs ?? NaN) * (stepsPerEpoch ?? NaN);
    checkPositive("OneCycleLR", "totalSteps", this.#total);
    if (!(pctStart >= 0 && pctStart <= 1)) {
      throw rangeError("OneCycleLR", `pctStart ${pctStart} is not between 0 and 1`);
    }
    this.#maxLrs = perGroup("OneCycleLR", "highest rates", maxLr, this.baseLrs.length);
    const { annealStrategy = "cos" } = options;
    checkChoice("OneCycleLR", "annealStrategy", annealStrategy, ["cos", "linear"]);
    this.#linear = annealStrategy === "linear";
    const { baseMomentum = 0.85, maxMomentum = 0.95 } = options;
    this.#momentum = options.cycleMomentum ?? true
      ? new MomentumRange("OneCycleLR", optimizer, baseMomentum, maxMomentum)
      : undefined;
    const { divFactor = 25, finalDivFactor = 1e4 } = options;
    this.#options = { divFactor, finalDivFactor };
    const peak = pctStart * this.#total - 1;
    this.#phases = options.threePhase
      ? [
        { end: peak, from: "first", to: "max" },
        { end: 2 * pctStart * this.#total - 2, from: "max", to: "first" },
        { end: this.#total - 1, from: "first", to: "last" },
      ]
      : [
        { end: peak, from: "first", to: "max" },
        { end: this.#total - 1, from: "max", to: "last" },
      ];
    this.step();
  }

  #level(level: Level, maxLr: number): number {
    const { divFactor, finalDivFactor } = this.#options;
    if (level === "max") return maxLr;
    return level === "first" ? maxLr / divFactor : maxLr / divFactor / finalDivFactor;
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    const at = this.lastEpoch;
    if (at > this.#total) {
      throw rangeError("OneCycleLR", `step ${at} is after the last of ${this.#total}`);
    }
    let start = 0;
    let phase = this.#phases[0]!;
    for (phase of this.#phases) {
      if (at <= phase.end || phase === this.#phases.at(-1)) break;
      start = phase.end;
    }
    const share = (at - start) / (phase.end - start);
    const between = (from: number, to: number) =>
      this.#linear
        ? from + (to - from) * share
        : to + (from - to) / 2 * (1 + Math.cos(Math.PI * share));
    this.#momentum?.set((base, max) => {
      const momentumAt = (level: Level) => level === "max" ? base : max;
      return between(momentumAt(phase.from), momentumAt(phase.to));
    });
    return this.#maxLrs.map((max) =>
      between(this.#level(phase.from, max), this.#level(phase.to, max))
    );
  }
}

type Level = "first" | "max" | "last";

/** Options of {@linkcode CyclicLR}. */
export interface CyclicLROptions {
  /** Steps of a rise. @default 2000 */
  stepSizeUp?: number | undefined;
  /** Steps of a fall. @default stepSizeUp */
  stepSizeDown?: number | undefined;
  /** How the height changes: not at all, halved each cycle, or times `gamma` each step. @default "triangular" */
  mode?: "triangular" | "triangular2" | "expRange" | undefined;
  /** Factor of `expRange`. @default 1 */
  gamma?: number | undefined;
  /** A height of one's own, in place of `mode`. */
  scaleFn?: ((x: number) => number) | undefined;
  /** Whether `scaleFn` is given the cycle or the step. @default "cycle" */
  scaleMode?: "cycle" | "iterations" | undefined;
  /** Whether momentum moves against the rate. @default true */
  cycleMomentum?: boolean | undefined;
  /** Lowest momentum. @default 0.8 */
  baseMomentum?: PerGroup | undefined;
  /** Highest momentum. @default 0.9 */
  maxMomentum?: PerGroup | undefined;
}

/** Rises and falls without end (Smith 2017), like `torch.optim.lr_scheduler.CyclicLR`. */
export class CyclicLR extends LRScheduler {
  readonly #lowest: readonly number[];
  readonly #highest: readonly number[];
  readonly #up: number;
  readonly #total: number;
  readonly #scale: (cycle: number, step: number) => number;
  readonly #momentum: MomentumRange | undefined;

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param baseLr Lowest learning rate, or one per group.
   * @param maxLr Highest learning rate, or one per group.
   * @param options Number of steps, height.
   * @throws {RangeError} If a number of steps is not positive.
   */
  constructor(
    optimizer: ScheduledOptimizer,
    baseLr: PerGroup,
    maxLr: PerGroup,
    options: CyclicLROptions = {},
  ) {
    const groups = optimizer.paramGroups;
    const lowest = perGroup("CyclicLR", "lowest rates", baseLr, groups.length);
    for (const [i, group] of groups.entries()) group.lr = lowest[i]!;
    super(optimizer);
    this.#lowest = lowest;
    this.#highest = perGroup("CyclicLR", "highest rates", maxLr, groups.length);
    const { stepSizeUp = 2000, stepSizeDown = stepSizeUp, gamma = 1, scaleFn } = options;
    checkPositive("CyclicLR", "stepSizeUp", stepSizeUp);
    checkPositive("CyclicLR", "stepSizeDown", stepSizeDown);
    this.#up = stepSizeUp;
    this.#total = stepSizeUp + stepSizeDown;
    const { mode = "triangular" } = options;
    checkChoice("CyclicLR", "mode", mode, ["triangular", "triangular2", "expRange"]);
    if (scaleFn) {
      const byStep = options.scaleMode === "iterations";
      this.#scale = (cycle, step) => scaleFn(byStep ? step : cycle);
    } else if (mode === "triangular2") this.#scale = (cycle) => 0.5 ** (cycle - 1);
    else if (mode === "expRange") this.#scale = (_, step) => gamma ** step;
    else this.#scale = () => 1;
    const { baseMomentum = 0.8, maxMomentum = 0.9 } = options;
    if (options.cycleMomentum ?? true) {
      this.#momentum = new MomentumRange("CyclicLR", optimizer, baseMomentum, maxMomentum);
    }
    this.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    const at = this.lastEpoch, ratio = this.#up / this.#total;
    const cycle = Math.floor(1 + at / this.#total);
    const x = 1 + at / this.#total - cycle;
    const height = (x <= ratio ? x / ratio : (x - 1) / (ratio - 1)) * this.#scale(cycle, at);
    this.#momentum?.set((base, max) => max - (max - base) * height);
    return this.#lowest.map((low, i) => low + (this.#highest[i]! - low) * height);
  }
}
