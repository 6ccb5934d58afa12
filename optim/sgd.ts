import { type Tensor, where } from "../ops/mod.ts";
import { rangeError } from "../ops/check.ts";
import {
  Optimizer,
  type Options,
  type ParameterSource,
  type RuleInput,
  type StatePlan,
  type Updated,
} from "./optimizer.ts";
import { checkNotNegative, decayed, signed, withDefaults } from "./_rules.ts";

/** Settings of {@linkcode SGD}. */
export interface SGDSettings {
  /** Learning rate. @default 0.001 */
  lr: number;
  /** Share of the previous step that is kept. @default 0 */
  momentum: number;
  /** Share of the gradient that momentum leaves out. @default 0 */
  dampening: number;
  /** L2 penalty. @default 0 */
  weightDecay: number;
  /** Look ahead along the momentum. @default false */
  nesterov: boolean;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/**
 * Stochastic gradient descent with momentum, like `torch.optim.SGD`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { SGD } from "@tensaurus/core/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const w = tensor([2], { requiresGrad: true });
 * const optimizer = new SGD([w], { lr: 0.25 });
 * w.square().sum().backward();
 * optimizer.step();
 * assertEquals([...await w.data()], [1]);
 * ```
 */
export class SGD extends Optimizer<SGDSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(params: ParameterSource<SGDSettings>, settings: Options<SGDSettings> = {}) {
    super(
      "SGD",
      params,
      withDefaults<SGDSettings>("SGD", {
        lr: 1e-3,
        momentum: 0,
        dampening: 0,
        weightDecay: 0,
        nesterov: false,
        maximize: false,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<SGDSettings>): void {
    super.check(group);
    checkNotNegative(this.name, group, ["momentum", "weightDecay"]);
    if (group.nesterov && (group.momentum <= 0 || group.dampening !== 0)) {
      throw rangeError(
        "SGD",
        `nesterov needs momentum above 0 and no dampening: momentum ${group.momentum}, dampening ${group.dampening}`,
      );
    }
  }

  /** What is kept for each parameter. */
  override keeps({ momentum, dampening }: Readonly<SGDSettings>): StatePlan {
    if (momentum === 0) return {};
    const arrays = { momentum_buffer: 0 };
    return dampening === 0 ? { arrays } : { arrays, counters: { _steps: 0 } };
  }

  /** The update rule. */
  override rule(x: RuleInput<SGDSettings>): Updated {
    const { p, state } = x;
    const g = decayed(x, signed(x));
    const lr = x.scalar((s) => s.lr);
    if (!x.when((s) => s.momentum !== 0)) return { p: p.sub(g.mul(lr)) };
    const momentum = x.scalar((s) => s.momentum);
    const damped = x.when((s) => s.dampening !== 0);
    // The first step takes the whole gradient.
    const share = damped
      ? where(state._steps!.eq(0), 1, x.scalar((s) => 1 - s.dampening))
      : undefined;
    const buffer = state.momentum_buffer!.mul(momentum).add(share ? g.mul(share) : g);
    const direction = x.when((s) => s.nesterov) ? g.add(buffer.mul(momentum)) : buffer;
    const steps: Record<string, Tensor> = damped ? { _steps: state._steps!.add(1) } : {};
    return { p: p.sub(direction.mul(lr)), state: { momentum_buffer: buffer, ...steps } };
  }
}
