import { maximum, where } from "../ops/mod.ts";
import {
  Optimizer,
  type Options,
  type ParameterSource,
  type RuleInput,
  type StatePlan,
  type Updated,
} from "./optimizer.ts";
import {
  afterDecay,
  biasCorrection,
  blend,
  blendSquares,
  checkNotNegative,
  checkRates,
  decayed,
  signed,
  withDefaults,
} from "./_rules.ts";

/** Settings of {@linkcode Adamax}. */
export interface AdamaxSettings {
  /** Learning rate. @default 0.002 */
  lr: number;
  /** Decay rates of the averages of the gradient and of its square. @default [0.9, 0.999] */
  betas: readonly [number, number];
  /** Added to denominators. @default 1e-8 */
  eps: number;
  /** L2 penalty. @default 0 */
  weightDecay: number;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/**
 * Adam with the infinity norm (Kingma and Ba 2015), like `torch.optim.Adamax`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { Adamax } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new Adamax([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert(await w.item() < 2);
 * ```
 */
export class Adamax extends Optimizer<AdamaxSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<AdamaxSettings>,
    settings: Options<AdamaxSettings> = {},
  ) {
    super(
      "Adamax",
      params,
      withDefaults<AdamaxSettings>("Adamax", {
        lr: 0.002,
        betas: [0.9, 0.999],
        eps: 1e-8,
        weightDecay: 0,
        maximize: false,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<AdamaxSettings>): void {
    super.check(group);
    checkRates(this.name, group, ["betas"]);
    checkNotNegative(this.name, group, ["eps", "weightDecay"]);
  }

  /** What is kept for each parameter. */
  override keeps(_group: Readonly<AdamaxSettings>): StatePlan {
    return { counters: { step: 0 }, arrays: { exp_avg: 0, exp_inf: 0 } };
  }

  /** The update rule. */
  override rule(x: RuleInput<AdamaxSettings>): Updated {
    const { p, state } = x;
    const g = decayed(x, signed(x));
    const step = state.step!.add(1);
    const average = blend(state.exp_avg!, g, x.scalar((s) => 1 - s.betas[0]));
    const size = g.abs().add(x.constant((s) => s.eps));
    const norm = maximum(state.exp_inf!.mul(x.scalar((s) => s.betas[1])), size);
    const lr = x.scalar((s) => s.lr).div(biasCorrection(x, step, (s) => s.betas[0]));
    return {
      p: p.sub(average.div(norm).mul(lr)),
      state: { step, exp_avg: average, exp_inf: norm },
    };
  }
}

/** Settings of {@linkcode NAdam}. */
export interface NAdamSettings {
  /** Learning rate. @default 0.002 */
  lr: number;
  /** Decay rates of the averages of the gradient and of its square. @default [0.9, 0.999] */
  betas: readonly [number, number];
  /** Added to denominators. @default 1e-8 */
  eps: number;
  /** L2 penalty. @default 0 */
  weightDecay: number;
  /** How fast the momentum schedule approaches its end. @default 0.004 */
  momentumDecay: number;
  /** Shrink the parameters apart from the gradient. @default false */
  decoupledWeightDecay: boolean;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/**
 * Adam with Nesterov momentum (Dozat 2016), like `torch.optim.NAdam`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { NAdam } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new NAdam([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert(await w.item() < 2);
 * ```
 */
export class NAdam extends Optimizer<NAdamSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<NAdamSettings>,
    settings: Options<NAdamSettings> = {},
  ) {
    super(
      "NAdam",
      params,
      withDefaults<NAdamSettings>("NAdam", {
        lr: 0.002,
        betas: [0.9, 0.999],
        eps: 1e-8,
        weightDecay: 0,
        momentumDecay: 0.004,
        decoupledWeightDecay: false,
        maximize: false,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<NAdamSettings>): void {
    super.check(group);
    checkRates(this.name, group, ["betas"]);
    checkNotNegative(this.name, group, ["eps", "weightDecay", "momentumDecay"]);
  }

  /** What is kept for each parameter. */
  override keeps(_group: Readonly<NAdamSettings>): StatePlan {
    return { counters: { step: 0, mu_product: 1 }, arrays: { exp_avg: 0, exp_avg_sq: 0 } };
  }

  /** The update rule. */
  override rule(x: RuleInput<NAdamSettings>): Updated {
    const { state } = x;
    const { p, g } = afterDecay(x);
    const step = state.step!.add(1);
    const average = blend(state.exp_avg!, g, x.scalar((s) => 1 - s.betas[0]));
    const squares = blendSquares(x, state.exp_avg_sq!, g, (s) => s.betas[1]);
    const rate = x.scalar((s) => s.momentumDecay * Math.log(0.96));
    const beta = x.scalar((s) => s.betas[0]);
    const mu = step.mul(rate).exp().mul(-0.5).add(1).mul(beta);
    const next = step.add(1).mul(rate).exp().mul(-0.5).add(1).mul(beta);
    const product = state.mu_product!.mul(mu);
    const root = squares.div(biasCorrection(x, step, (s) => s.betas[1])).sqrt();
    const denominator = root.add(x.constant((s) => s.eps));
    const lr = x.scalar((s) => s.lr);
    const now = lr.mul(mu.neg().add(1)).div(product.neg().add(1));
    const ahead = lr.mul(next).div(product.mul(next).neg().add(1));
    return {
      p: p.sub(g.mul(now).add(average.mul(ahead)).div(denominator)),
      state: { step, mu_product: product, exp_avg: average, exp_avg_sq: squares },
    };
  }
}

/** Settings of {@linkcode RAdam}. */
export interface RAdamSettings {
  /** Learning rate. @default 0.001 */
  lr: number;
  /** Decay rates of the averages of the gradient and of its square. @default [0.9, 0.999] */
  betas: readonly [number, number];
  /** Added to denominators. @default 1e-8 */
  eps: number;
  /** L2 penalty. @default 0 */
  weightDecay: number;
  /** Shrink the parameters apart from the gradient. @default false */
  decoupledWeightDecay: boolean;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/**
 * Adam with a rectified variance (Liu et al. 2020), like `torch.optim.RAdam`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { RAdam } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new RAdam([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert(await w.item() < 2);
 * ```
 */
export class RAdam extends Optimizer<RAdamSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<RAdamSettings>,
    settings: Options<RAdamSettings> = {},
  ) {
    super(
      "RAdam",
      params,
      withDefaults<RAdamSettings>("RAdam", {
        lr: 0.001,
        betas: [0.9, 0.999],
        eps: 1e-8,
        weightDecay: 0,
        decoupledWeightDecay: false,
        maximize: false,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<RAdamSettings>): void {
    super.check(group);
    checkRates(this.name, group, ["betas"]);
    checkNotNegative(this.name, group, ["eps", "weightDecay"]);
  }

  /** What is kept for each parameter. */
  override keeps(_group: Readonly<RAdamSettings>): StatePlan {
    return { counters: { step: 0 }, arrays: { exp_avg: 0, exp_avg_sq: 0 } };
  }

  /** The update rule. */
  override rule(x: RuleInput<RAdamSettings>): Updated {
    const { state } = x;
    const { p, g } = afterDecay(x);
    const step = state.step!.add(1);
    const average = blend(state.exp_avg!, g, x.scalar((s) => 1 - s.betas[0]));
    const squares = blendSquares(x, state.exp_avg_sq!, g, (s) => s.betas[1]);
    const correction = biasCorrection(x, step, (s) => s.betas[1]);
    // Length of the average that the exponential one approximates, at the end and now.
    const limit = x.scalar((s) => 2 / (1 - s.betas[1]) - 1);
    const power = correction.neg().add(1);
    const length = limit.sub(step.mul(power).mul(2).div(correction));
    const long = length.gt(5);
    const safe = where(long, length, 6);
    const rectified = safe.sub(4).mul(safe.sub(2)).mul(limit)
      .div(limit.sub(4).mul(limit.sub(2)).mul(safe)).sqrt();
    const adaptive = correction.sqrt().mul(rectified)
      .div(squares.sqrt().add(x.constant((s) => s.eps)));
    const lr = x.scalar((s) => s.lr).div(biasCorrection(x, step, (s) => s.betas[0]));
    return {
      p: p.sub(average.mul(lr).mul(where(long, adaptive, 1))),
      state: { step, exp_avg: average, exp_avg_sq: squares },
    };
  }
}
