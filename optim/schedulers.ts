/** Schedules of the learning rate that follow the number of steps. */
import { rangeError, stateError } from "../ops/check.ts";

/** What a scheduler needs of an optimizer. */
export interface ScheduledOptimizer {
  /** Groups whose `lr` the scheduler sets. */
  readonly paramGroups: readonly { lr: number; initialLr?: number | undefined }[];
}

/** Saved state of a scheduler: plain numbers. */
export type SchedulerState = Readonly<Record<string, number | readonly number[] | unknown>>;

/**
 * Base of the schedulers that follow the number of steps, like `torch.optim.lr_scheduler.LRScheduler`.
 * Making one sets the first learning rate; each `step()` sets the next.
 */
export abstract class LRScheduler {
  /** The optimizer. */
  readonly optimizer: ScheduledOptimizer;
  /** Learning rates of the groups before any schedule. */
  readonly baseLrs: readonly number[];
  /** Number of steps so far. */
  lastEpoch: number;
  #lastLrs: readonly number[] = [];

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   */
  constructor(optimizer: ScheduledOptimizer) {
    this.optimizer = optimizer;
    this.lastEpoch = -1;
    for (const group of optimizer.paramGroups) group.initialLr ??= group.lr;
    this.baseLrs = optimizer.paramGroups.map((group) => group.initialLr!);
  }

  /** Learning rates of the groups at `lastEpoch`; those before are in the groups. */
  abstract getLr(): number[];

  /** Learning rates that the scheduler set last. */
  getLastLr(): readonly number[] {
    return this.#lastLrs;
  }

  /** Moves on by one step. */
  step(): void {
    this.lastEpoch++;
    this.#apply();
  }

  /** Starts over at step 0 from the first learning rates; for schedulers in sequence. */
  restart(): void {
    this.#set(this.baseLrs);
    this.lastEpoch = 0;
    this.#apply();
  }

  #apply(): void {
    this.#lastLrs = this.getLr();
    this.#set(this.#lastLrs);
  }

  /** Groups that the optimizer got after the scheduler was made may have none here: they keep theirs. */
  #set(lrs: readonly number[]): void {
    for (const [i, lr] of lrs.entries()) this.optimizer.paramGroups[i]!.lr = lr;
  }

  /** Learning rates in the groups now. */
  currentLrs(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  /** Names of the fields that change from step to step; subclasses add theirs. */
  counterNames(): readonly string[] {
    return [];
  }

  /** What is needed to continue; the optimizer keeps its learning rates itself. */
  stateDict(): SchedulerState {
    const fields = this as unknown as Record<string, unknown>;
    const counters = this.counterNames().map((name) => [name, fields[name]]);
    return {
      lastEpoch: this.lastEpoch,
      lastLrs: [...this.#lastLrs],
      ...Object.fromEntries(counters),
    };
  }

  /** Continues from a saved state. */
  loadStateDict(saved: SchedulerState): void {
    this.lastEpoch = saved.lastEpoch as number;
    this.#lastLrs = saved.lastLrs as number[];
    for (const name of this.counterNames()) Object.assign(this, { [name]: saved[name] });
  }
}

/** A function of the step, or one for each group. */
export type LrFunction = ((epoch: number) => number) | readonly ((epoch: number) => number)[];

/** One value for each of `count` groups. @throws {Error} If a list has another length. */
export function perGroup<T extends number | ((epoch: number) => number)>(
  name: string,
  what: string,
  given: T | readonly T[],
  count: number,
): readonly T[] {
  if (!isList(given)) return Array.from({ length: count }, () => given);
  if (given.length !== count) {
    throw stateError(name, `${given.length} ${what} were given for ${count} groups`);
  }
  return given;
}

function isList<T>(given: T | readonly T[]): given is readonly T[] {
  return Array.isArray(given);
}

/**
 * First learning rate times a function of the step, like `torch.optim.lr_scheduler.LambdaLR`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { LambdaLR, SGD } from "@tensaurus/core/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const optimizer = new SGD([zeros([1], { requiresGrad: true })], { lr: 0.5 });
 * const scheduler = new LambdaLR(optimizer, (step) => 1 / (step + 1));
 * scheduler.step();
 * assertEquals(optimizer.paramGroups[0]!.lr, 0.25);
 * ```
 */
export class LambdaLR extends LRScheduler {
  readonly #functions: readonly ((epoch: number) => number)[];

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param lrLambda Factor by step, or one function per group.
   */
  constructor(optimizer: ScheduledOptimizer, lrLambda: LrFunction) {
    super(optimizer);
    this.#functions = perGroup("LambdaLR", "functions", lrLambda, this.baseLrs.length);
    this.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    return this.baseLrs.map((lr, i) => lr * this.#functions[i]!(this.lastEpoch));
  }
}

/** The learning rate times a function of the step, at each step; like `torch.optim.lr_scheduler.MultiplicativeLR`. */
export class MultiplicativeLR extends LRScheduler {
  readonly #functions: readonly ((epoch: number) => number)[];

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param lrLambda Factor by step, or one function per group.
   */
  constructor(optimizer: ScheduledOptimizer, lrLambda: LrFunction) {
    super(optimizer);
    this.#functions = perGroup("MultiplicativeLR", "functions", lrLambda, this.baseLrs.length);
    this.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    const lrs = this.currentLrs();
    if (this.lastEpoch === 0) return lrs;
    return this.#functions.map((factor, i) => lrs[i]! * factor(this.lastEpoch));
  }
}

/**
 * The learning rate times `gamma` every `stepSize` steps, like `torch.optim.lr_scheduler.StepLR`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { SGD, StepLR } from "@tensaurus/core/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const optimizer = new SGD([zeros([1], { requiresGrad: true })], { lr: 1 });
 * const scheduler = new StepLR(optimizer, 2, { gamma: 0.5 });
 * const lrs = [0, 1, 2].map(() => {
 *   scheduler.step();
 *   return optimizer.paramGroups[0]!.lr;
 * });
 * assertEquals(lrs, [1, 0.5, 0.5]);
 * ```
 */
export class StepLR extends LRScheduler {
  readonly #stepSize: number;
  readonly #gamma: number;

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param stepSize Steps between changes.
   * @param options Factor.
   * @throws {RangeError} If `stepSize` is not positive.
   */
  constructor(
    optimizer: ScheduledOptimizer,
    stepSize: number,
    options: { gamma?: number | undefined } = {},
  ) {
    super(optimizer);
    checkPositive("StepLR", "stepSize", stepSize);
    this.#stepSize = stepSize;
    this.#gamma = options.gamma ?? 0.1;
    this.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    const change = this.lastEpoch > 0 && this.lastEpoch % this.#stepSize === 0;
    return this.currentLrs().map((lr) => change ? lr * this.#gamma : lr);
  }
}

/** The learning rate times `gamma` at each milestone, like `torch.optim.lr_scheduler.MultiStepLR`. */
export class MultiStepLR extends LRScheduler {
  readonly #milestones: readonly number[];
  readonly #gamma: number;

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param milestones Steps at which the rate changes; one that appears twice counts twice.
   * @param options Factor.
   */
  constructor(
    optimizer: ScheduledOptimizer,
    milestones: readonly number[],
    options: { gamma?: number | undefined } = {},
  ) {
    super(optimizer);
    this.#milestones = milestones;
    this.#gamma = options.gamma ?? 0.1;
    this.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    const count = this.#milestones.filter((at) => at === this.lastEpoch).length;
    return this.currentLrs().map((lr) => lr * this.#gamma ** count);
  }
}

/** The learning rate times `gamma` at each step, like `torch.optim.lr_scheduler.ExponentialLR`. */
export class ExponentialLR extends LRScheduler {
  readonly #gamma: number;

  /**
   * Makes the scheduler and sets the first learning rate.
   *
   * @param optimizer The optimizer.
   * @param gamma Factor.
   */
  constructor(optimizer: ScheduledOptimizer, gamma: number) {
    super(optimizer);
    this.#gamma = gamma;
    this.step();
  }

  /** Learning rates of the groups at `lastEpoch`. */
  override getLr(): number[] {
    return this.currentLrs().map((lr) => this.lastEpoch > 0 ? lr * this.#gamma : lr);
  }
}

/** Refuses a count that is not a positive whole number. */
export function checkPositive(name: string, what: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw rangeError(name, `${what} ${value} is not a positive whole number`);
  }
}
