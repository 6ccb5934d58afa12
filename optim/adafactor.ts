import type { Tensor } from "../ops/mod.ts";
import {
  Optimizer,
  type Options,
  type ParameterSource,
  type RuleInput,
  type StatePlan,
  type Updated,
} from "./optimizer.ts";
import { blend, checkNotNegative, signed, withDefaults } from "./_rules.ts";

/** Settings of {@linkcode Adafactor}. */
export interface AdafactorSettings {
  /** Highest learning rate, relative to the size of the parameter. @default 0.01 */
  lr: number;
  /** Power of the step in the decay of the second moment. @default -0.8 */
  beta2Decay: number;
  /** Lowest squared gradient (null: the precision of the dtype) and lowest size of a parameter. @default [null, 0.001] */
  eps: readonly [number | null, number];
  /** Highest root mean square of an update. @default 1 */
  d: number;
  /** Share of `lr` by which parameters shrink at each step. @default 0 */
  weightDecay: number;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/**
 * Adam's second moment as a product of row and column averages (Shazeer and Stern 2018), which takes
 * little memory; like `torch.optim.Adafactor`.
 *
 * @example
 * ```ts
 * import { ones } from "@tensaurus/core";
 * import { Adafactor } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = ones([2, 2], { requiresGrad: true });
 * const optimizer = new Adafactor([w]);
 * w.square().sum().backward();
 * optimizer.step();
 * assert((await w.data())[0]! < 1);
 * ```
 */
export class Adafactor extends Optimizer<AdafactorSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Parameters, or groups with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(
    params: ParameterSource<AdafactorSettings>,
    settings: Options<AdafactorSettings> = {},
  ) {
    super(
      "Adafactor",
      params,
      withDefaults<AdafactorSettings>("Adafactor", {
        lr: 0.01,
        beta2Decay: -0.8,
        eps: [null, 1e-3],
        d: 1,
        weightDecay: 0,
        maximize: false,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<AdafactorSettings>): void {
    super.check(group);
    checkNotNegative(this.name, group, ["weightDecay", "d"]);
  }

  /** What is kept for each parameter. */
  override keeps(_group: Readonly<AdafactorSettings>): StatePlan {
    return {
      counters: { step: 0 },
      own: ({ shape }): Record<string, readonly number[]> => {
        if (shape.length < 2) return { variance: shape };
        const [rows, columns] = shape.slice(-2) as [number, number];
        const batch = shape.slice(0, -2);
        return { row_var: [...batch, rows, 1], col_var: [...batch, 1, columns] };
      },
    };
  }

  /** The update rule. */
  override rule(x: RuleInput<AdafactorSettings>): Updated {
    const step = x.state.step!.add(1);
    const own: (Record<string, Tensor> | undefined)[] = [];
    const values = x.parts(x.p);
    const steps = x.parts(step.expand(x.p.shape));
    const updates = x.parts(signed(x)).map((g, i) => {
      const p = values[i];
      if (!g || !p) return undefined;
      const count = steps[i]!.reshape([-1]).narrow(0, 0, 1).reshape([]);
      const { update, kept } = moments(x, p, g, count, x.own[i]!);
      own[i] = kept;
      return p.sub(update);
    });
    return { p: x.pack(updates), state: { step }, own };
  }
}

/** The step of one parameter and its new averages. */
function moments(
  x: RuleInput<AdafactorSettings>,
  p: Tensor,
  g: Tensor,
  step: Tensor,
  old: Readonly<Record<string, Tensor>>,
): { update: Tensor; kept: Record<string, Tensor> } {
  const precision = p.dtype === "float64" ? 2 ** -52 : 2 ** -23;
  const eps = x.constant((s) => s.eps[0] ?? precision);
  const share = step.pow(x.constant((s) => s.beta2Decay));
  const rate = step.rsqrt().minimum(x.scalar((s) => s.lr));
  const rms = (y: Tensor) => y.square().mean().sqrt();
  const size = rms(p).clamp(x.constant((s) => s.eps[1])).mul(rate);
  let kept: Record<string, Tensor>;
  let variance: Tensor;
  if (g.ndim > 1) {
    const rows = blend(old.row_var!, g.square().mean(-1, { keepdim: true }), share);
    const columns = blend(old.col_var!, g.square().mean(-2, { keepdim: true }), share);
    variance = rows.mul(columns).div(rows.mean(-2, { keepdim: true }).clamp(eps));
    kept = { row_var: rows, col_var: columns };
  } else {
    variance = blend(old.variance!, g.square(), share);
    kept = { variance };
  }
  const direction = g.mul(variance.clamp(eps ** 2).rsqrt());
  const limit = rms(direction).div(x.constant((s) => s.d)).clamp(1);
  const decay = x.when((s) => s.weightDecay !== 0)
    ? p.mul(x.scalar((s) => s.lr * s.weightDecay))
    : undefined;
  const update = direction.mul(size.div(limit));
  return { update: decay ? update.add(decay) : update, kept };
}
