import type { Tensor } from "../ops/mod.ts";
import {
  Optimizer,
  type Options,
  type ParameterSource,
  type RuleInput,
  type StatePlan,
  type Updated,
} from "./optimizer.ts";
import {
  blend,
  blendSquares,
  checkNotNegative,
  checkRates,
  decayed,
  signed,
  withDefaults,
} from "./_rules.ts";

/** Settings of {@linkcode RMSprop}. */
export interface RMSpropSettings {
  /** Learning rate. @default 0.01 */
  lr: number;
  /** Decay rate of the average of squares. @default 0.99 */
  alpha: number;
  /** Added to denominators. @default 1e-8 */
  eps: number;
  /** L2 penalty. @default 0 */
  weightDecay: number;
  /** Share of the previous step that is kept. @default 0 */
  momentum: number;
  /** Divide by the standard deviation instead of the root mean square. @default false */
  centered: boolean;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/**
 * Gradient over the root of its mean square (Hinton 2012), like `torch.optim.RMSprop`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { RMSprop } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new RMSprop([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert(await w.item() < 2);
 * ```
 */
export class RMSprop extends Optimizer<RMSpropSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<RMSpropSettings>,
    settings: Options<RMSpropSettings> = {},
  ) {
    super(
      "RMSprop",
      params,
      withDefaults<RMSpropSettings>("RMSprop", {
        lr: 0.01,
        alpha: 0.99,
        eps: 1e-8,
        weightDecay: 0,
        momentum: 0,
        centered: false,
        maximize: false,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<RMSpropSettings>): void {
    super.check(group);
    checkRates(this.name, group, ["alpha"]);
    checkNotNegative(this.name, group, ["eps", "weightDecay", "momentum"]);
  }

  /** What is kept for each parameter. */
  override keeps({ momentum, centered }: Readonly<RMSpropSettings>): StatePlan {
    const arrays: Record<string, number> = { square_avg: 0 };
    if (momentum > 0) arrays.momentum_buffer = 0;
    if (centered) arrays.grad_avg = 0;
    return { counters: { step: 0 }, arrays };
  }

  /** The update rule. */
  override rule(x: RuleInput<RMSpropSettings>): Updated {
    const { p, state } = x;
    const g = decayed(x, signed(x));
    const kept: Record<string, Tensor> = { step: state.step!.add(1) };
    kept.square_avg = blendSquares(x, state.square_avg!, g, (s) => s.alpha);
    let variance = kept.square_avg;
    if (x.when((s) => s.centered)) {
      kept.grad_avg = blend(state.grad_avg!, g, x.scalar((s) => 1 - s.alpha));
      variance = variance.sub(kept.grad_avg.square());
    }
    let direction = g.div(variance.sqrt().add(x.constant((s) => s.eps)));
    if (x.when((s) => s.momentum > 0)) {
      direction = state.momentum_buffer!.mul(x.scalar((s) => s.momentum)).add(direction);
      kept.momentum_buffer = direction;
    }
    return { p: p.sub(direction.mul(x.scalar((s) => s.lr))), state: kept };
  }
}

/** Settings of {@linkcode Adagrad}. */
export interface AdagradSettings {
  /** Learning rate. @default 0.01 */
  lr: number;
  /** How fast the learning rate falls with the steps. @default 0 */
  lrDecay: number;
  /** L2 penalty. @default 0 */
  weightDecay: number;
  /** First value of the sums of squares. @default 0 */
  initialAccumulatorValue: number;
  /** Added to denominators. @default 1e-10 */
  eps: number;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/**
 * Gradient over the root of its sum of squares (Duchi et al. 2011), like `torch.optim.Adagrad`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { Adagrad } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new Adagrad([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert(await w.item() < 2);
 * ```
 */
export class Adagrad extends Optimizer<AdagradSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<AdagradSettings>,
    settings: Options<AdagradSettings> = {},
  ) {
    super(
      "Adagrad",
      params,
      withDefaults<AdagradSettings>("Adagrad", {
        lr: 0.01,
        lrDecay: 0,
        weightDecay: 0,
        initialAccumulatorValue: 0,
        eps: 1e-10,
        maximize: false,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<AdagradSettings>): void {
    super.check(group);
    checkNotNegative(this.name, group, [
      "lrDecay",
      "weightDecay",
      "initialAccumulatorValue",
      "eps",
    ]);
  }

  /** What is kept for each parameter. */
  override keeps(group: Readonly<AdagradSettings>): StatePlan {
    return { counters: { step: 0 }, arrays: { sum: group.initialAccumulatorValue } };
  }

  /** The update rule. */
  override rule(x: RuleInput<AdagradSettings>): Updated {
    const { p, state } = x;
    const g = decayed(x, signed(x));
    const slowed = state.step!.mul(x.scalar((s) => s.lrDecay)).add(1);
    const sum = state.sum!.add(g.square());
    const direction = g.div(sum.sqrt().add(x.constant((s) => s.eps)));
    return {
      p: p.sub(direction.mul(x.scalar((s) => s.lr).div(slowed))),
      state: { step: state.step!.add(1), sum },
    };
  }
}

/** Settings of {@linkcode Adadelta}. */
export interface AdadeltaSettings {
  /** Learning rate. @default 1 */
  lr: number;
  /** Decay rate of the averages. @default 0.9 */
  rho: number;
  /** Added to denominators. @default 1e-6 */
  eps: number;
  /** L2 penalty. @default 0 */
  weightDecay: number;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/**
 * Steps in the units of the parameters (Zeiler 2012), like `torch.optim.Adadelta`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { Adadelta } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new Adadelta([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert(await w.item() < 2);
 * ```
 */
export class Adadelta extends Optimizer<AdadeltaSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<AdadeltaSettings>,
    settings: Options<AdadeltaSettings> = {},
  ) {
    super(
      "Adadelta",
      params,
      withDefaults<AdadeltaSettings>("Adadelta", {
        lr: 1,
        rho: 0.9,
        eps: 1e-6,
        weightDecay: 0,
        maximize: false,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<AdadeltaSettings>): void {
    super.check(group);
    checkRates(this.name, group, ["rho"]);
    checkNotNegative(this.name, group, ["eps", "weightDecay"]);
  }

  /** What is kept for each parameter. */
  override keeps(_group: Readonly<AdadeltaSettings>): StatePlan {
    return { counters: { step: 0 }, arrays: { square_avg: 0, acc_delta: 0 } };
  }

  /** The update rule. */
  override rule(x: RuleInput<AdadeltaSettings>): Updated {
    const { p, state } = x;
    const g = decayed(x, signed(x));
    const eps = x.constant((s) => s.eps);
    const squares = blendSquares(x, state.square_avg!, g, (s) => s.rho);
    const delta = state.acc_delta!.add(eps).sqrt().div(squares.add(eps).sqrt()).mul(g);
    return {
      p: p.sub(delta.mul(x.scalar((s) => s.lr))),
      state: {
        step: state.step!.add(1),
        square_avg: squares,
        acc_delta: blendSquares(x, state.acc_delta!, delta, (s) => s.rho),
      },
    };
  }
}
