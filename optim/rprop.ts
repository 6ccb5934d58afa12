import { where } from "../ops/mod.ts";
import { rangeError } from "../ops/check.ts";
import {
  Optimizer,
  type Options,
  type ParameterSource,
  type RuleInput,
  type StatePlan,
  type Updated,
} from "./optimizer.ts";
import { blend, checkNotNegative, decayed, signed, withDefaults } from "./_rules.ts";

/** Settings of {@linkcode Rprop}. */
export interface RpropSettings {
  /** Learning rate. @default 0.01 */
  lr: number;
  /** Factors of the step size when the sign of the gradient changes and when it stays. @default [0.5, 1.2] */
  etas: readonly [number, number];
  /** Smallest and largest step size. @default [1e-6, 50] */
  stepSizes: readonly [number, number];
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/**
 * Steps that look at signs only (Riedmiller and Braun 1993), like `torch.optim.Rprop`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { Rprop } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new Rprop([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert(await w.item() < 2);
 * ```
 */
export class Rprop extends Optimizer<RpropSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<RpropSettings>,
    settings: Options<RpropSettings> = {},
  ) {
    super(
      "Rprop",
      params,
      withDefaults<RpropSettings>("Rprop", {
        lr: 0.01,
        etas: [0.5, 1.2],
        stepSizes: [1e-6, 50],
        maximize: false,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<RpropSettings>): void {
    super.check(group);
    const [down, up] = group.etas;
    if (!(down > 0 && down < 1 && up > 1)) {
      throw rangeError("Rprop", `etas ${down} and ${up} are not below and above 1`);
    }
  }

  /** What is kept for each parameter. */
  override keeps(_group: Readonly<RpropSettings>): StatePlan {
    return { counters: { step: 0 }, arrays: { prev: 0, step_size: 0 } };
  }

  /** The update rule. */
  override rule(x: RuleInput<RpropSettings>): Updated {
    const { p, state } = x;
    const g = signed(x);
    const agreement = g.mul(state.prev!);
    const turned = agreement.lt(0);
    const factor = where(
      turned,
      x.constant((s) => s.etas[0]),
      where(agreement.gt(0), x.scalar((s) => s.etas[1]), 1),
    );
    const before = where(state.step!.eq(0), x.scalar((s) => s.lr), state.step_size!);
    const size = before.mul(factor)
      .clamp(x.constant((s) => s.stepSizes[0]), x.constant((s) => s.stepSizes[1]));
    const kept = where(turned, 0, g);
    return {
      p: p.sub(kept.sign().mul(size)),
      state: { step: state.step!.add(1), prev: kept, step_size: size },
    };
  }
}

/** Settings of {@linkcode ASGD}. */
export interface ASGDSettings {
  /** Learning rate. @default 0.01 */
  lr: number;
  /** Decay of the parameters. @default 0.0001 */
  lambd: number;
  /** Power of the fall of the learning rate. @default 0.75 */
  alpha: number;
  /** Step at which averaging begins. @default 1000000.0 */
  t0: number;
  /** L2 penalty. @default 0 */
  weightDecay: number;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/**
 * Averaged gradient descent (Polyak and Juditsky 1992), like `torch.optim.ASGD`; the average is the state `ax`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { ASGD } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new ASGD([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert(await w.item() < 2);
 * ```
 */
export class ASGD extends Optimizer<ASGDSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<ASGDSettings>,
    settings: Options<ASGDSettings> = {},
  ) {
    super(
      "ASGD",
      params,
      withDefaults<ASGDSettings>("ASGD", {
        lr: 0.01,
        lambd: 0.0001,
        alpha: 0.75,
        t0: 1000000.0,
        weightDecay: 0,
        maximize: false,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<ASGDSettings>): void {
    super.check(group);
    checkNotNegative(this.name, group, ["weightDecay"]);
  }

  /** What is kept for each parameter. */
  override keeps(_group: Readonly<ASGDSettings>): StatePlan {
    return { counters: { step: 0, eta: 0, mu: 1 }, arrays: { ax: 0 } };
  }

  /** The update rule. */
  override rule(x: RuleInput<ASGDSettings>): Updated {
    const { state } = x;
    const g = decayed(x, signed(x));
    const step = state.step!.add(1);
    const mu = state.mu!;
    const eta = where(state.step!.eq(0), x.scalar((s) => s.lr), state.eta!);
    const shrink = eta.mul(x.scalar((s) => s.lambd)).neg().add(1);
    const p = x.p.mul(shrink).sub(g.mul(eta));
    const growth = step.mul(x.scalar((s) => s.lambd * s.lr)).add(1);
    const power = x.constant((s) => s.alpha);
    return {
      p,
      state: {
        step,
        eta: x.scalar((s) => s.lr).div(growth.pow(power)),
        mu: step.sub(x.constant((s) => s.t0)).clamp(1).reciprocal(),
        ax: blend(state.ax!, p, mu),
      },
    };
  }
}
