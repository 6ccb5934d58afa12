import { maximum, type Tensor } from "../ops/mod.ts";
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
  shrunk,
  signed,
  withDefaults,
} from "./_rules.ts";

/** Settings of {@linkcode Adam}. */
export interface AdamSettings {
  /** Learning rate. @default 0.001 */
  lr: number;
  /** Decay rates of the averages of the gradient and of its square. @default [0.9, 0.999] */
  betas: readonly [number, number];
  /** Added to denominators. @default 1e-8 */
  eps: number;
  /** L2 penalty. @default 0 */
  weightDecay: number;
  /** Use the highest second moment so far. @default false */
  amsgrad: boolean;
  /** Shrink the parameters apart from the gradient, as {@linkcode AdamW} does. @default false */
  decoupledWeightDecay: boolean;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/** What {@linkcode Adam} and {@linkcode AdamW} have in common: all but where the weights decay. */
export abstract class AdamBase extends Optimizer<AdamSettings> {
  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<AdamSettings>): void {
    super.check(group);
    checkRates(this.name, group, ["betas"]);
    checkNotNegative(this.name, group, ["eps", "weightDecay"]);
  }

  /** What is kept for each parameter. */
  override keeps({ amsgrad }: Readonly<AdamSettings>): StatePlan {
    const arrays = { exp_avg: 0, exp_avg_sq: 0 };
    return {
      counters: { step: 0 },
      arrays: amsgrad ? { ...arrays, max_exp_avg_sq: 0 } : arrays,
    };
  }
}

/**
 * Adam (Kingma and Ba 2015), like `torch.optim.Adam`; `weightDecay` is part of the gradient unless
 * `decoupledWeightDecay` is set.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { Adam } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new Adam([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert(await w.item() < 2);
 * ```
 */
export class Adam extends AdamBase {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<AdamSettings>,
    settings: Options<AdamSettings> = {},
  ) {
    super(
      "Adam",
      params,
      withDefaults<AdamSettings>("Adam", {
        lr: 0.001,
        betas: [0.9, 0.999],
        eps: 1e-8,
        weightDecay: 0,
        amsgrad: false,
        decoupledWeightDecay: false,
        maximize: false,
      }, settings),
    );
  }

  /** The update rule. */
  override rule(x: RuleInput<AdamSettings>): Updated {
    const { p, g } = afterDecay(x);
    return adamStep(x, p, g);
  }
}

/** Settings of {@linkcode AdamW}. */
export interface AdamWSettings extends Omit<AdamSettings, "decoupledWeightDecay"> {
  /** Share of `lr` by which parameters shrink at each step. @default 0.01 */
  weightDecay: number;
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2019), like `torch.optim.AdamW`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { AdamW } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new AdamW([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert(await w.item() < 2);
 * ```
 */
export class AdamW extends AdamBase {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<AdamWSettings>,
    settings: Options<AdamWSettings> = {},
  ) {
    super(
      "AdamW",
      params,
      withDefaults<AdamSettings>("AdamW", {
        lr: 0.001,
        betas: [0.9, 0.999],
        eps: 1e-8,
        weightDecay: 0.01,
        amsgrad: false,
        decoupledWeightDecay: true,
        maximize: false,
      }, settings),
    );
  }

  /** The update rule. */
  override rule(x: RuleInput<AdamSettings>): Updated {
    return adamStep(x, shrunk(x), signed(x));
  }
}

/** Both averages and the step along their corrected quotient, for Adam and AdamW. */
function adamStep(x: RuleInput<AdamSettings>, p: Tensor, g: Tensor): Updated {
  const { state } = x;
  const step = state.step!.add(1);
  const average = blend(state.exp_avg!, g, x.scalar((s) => 1 - s.betas[0]));
  const squares = blendSquares(x, state.exp_avg_sq!, g, (s) => s.betas[1]);
  const amsgrad = x.when((s) => s.amsgrad);
  const highest = amsgrad ? maximum(state.max_exp_avg_sq!, squares) : squares;
  const size = x.scalar((s) => s.lr).div(biasCorrection(x, step, (s) => s.betas[0]));
  const root = biasCorrection(x, step, (s) => s.betas[1]).sqrt();
  const denominator = highest.sqrt().div(root).add(x.constant((s) => s.eps));
  const kept = { step, exp_avg: average, exp_avg_sq: squares };
  return {
    p: p.sub(average.div(denominator).mul(size)),
    state: amsgrad ? { ...kept, max_exp_avg_sq: highest } : kept,
  };
}
