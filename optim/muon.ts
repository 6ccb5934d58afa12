import type { Tensor } from "../ops/mod.ts";
import { roundBfloat16 } from "../ops/bfloat16.ts";
import { rangeError } from "../ops/check.ts";
import {
  Optimizer,
  type Options,
  type ParameterSource,
  type RuleInput,
  type StatePlan,
  type Updated,
} from "./optimizer.ts";
import { blend, checkNotNegative, shrunk, withDefaults } from "./_rules.ts";

/** How {@linkcode Muon} scales the learning rate with the shape of a matrix. */
export type MuonScaling = "original" | "matchRmsAdamw";

/** Settings of {@linkcode Muon}. */
export interface MuonSettings {
  /** Learning rate. @default 0.001 */
  lr: number;
  /** Share of `lr` by which parameters shrink at each step. @default 0.1 */
  weightDecay: number;
  /** Decay rate of the average of the gradient. @default 0.95 */
  momentum: number;
  /** Look ahead along the average. @default true */
  nesterov: boolean;
  /** Coefficients of the iteration. @default [3.4445, -4.775, 2.0315] */
  nsCoefficients: readonly [number, number, number];
  /** Lowest norm of a matrix. @default 1e-7 */
  eps: number;
  /** Number of iterations. @default 5 */
  nsSteps: number;
  /** Scaling by shape. @default "original" */
  adjustLrFn: MuonScaling | null;
}

/**
 * Momentum orthogonalized by Newton–Schulz iterations (Jordan et al. 2024), for the matrices of
 * hidden layers; like `torch.optim.Muon`. The iterations run in bfloat16 precision, as there.
 *
 * @example
 * ```ts
 * import { eye } from "@tensaurus/core";
 * import { Muon } from "@tensaurus/core/optim";
 * import { assert } from "@std/assert";
 *
 * const w = eye(3).setRequiresGrad();
 * const optimizer = new Muon([w], { lr: 0.1 });
 * w.square().sum().backward();
 * optimizer.step();
 * assert((await w.data())[0]! < 1);
 * ```
 */
export class Muon extends Optimizer<MuonSettings> {
  /**
   * Makes the optimizer.
   *
   * @param params Matrices, or groups of them with settings of their own.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed, or a parameter is no matrix.
   */
  constructor(
    params: ParameterSource<MuonSettings>,
    settings: Options<MuonSettings> = {},
  ) {
    super(
      "Muon",
      params,
      withDefaults<MuonSettings>("Muon", {
        lr: 1e-3,
        weightDecay: 0.1,
        momentum: 0.95,
        nesterov: true,
        nsCoefficients: [3.4445, -4.775, 2.0315],
        eps: 1e-7,
        nsSteps: 5,
        adjustLrFn: null,
      }, settings),
    );
  }

  /** Checks the settings of a group. @throws {RangeError} If one is not allowed. */
  override check(group: Readonly<MuonSettings> & { params?: readonly Tensor[] }): void {
    super.check(group);
    checkNotNegative(this.name, group, ["momentum", "weightDecay"]);
    for (const { shape } of group.params ?? []) {
      if (shape.length !== 2) {
        throw rangeError("Muon", "only matrices can be orthogonalized", { parameter: shape });
      }
    }
  }

  /** What is kept for each parameter. */
  override keeps(_group: Readonly<MuonSettings>): StatePlan {
    return { arrays: { momentum_buffer: 0 } };
  }

  /** The update rule. */
  override rule(x: RuleInput<MuonSettings>): Updated {
    const average = blend(x.state.momentum_buffer!, x.g, x.scalar((s) => 1 - s.momentum));
    const nesterov = x.when((s) => s.nesterov);
    const direction = nesterov ? blend(x.g, average, x.scalar((s) => s.momentum)) : average;
    const [a, b, c] = [0, 1, 2].map((i) => x.constant((s) => s.nsCoefficients[i]!));
    const steps = x.constant((s) => s.nsSteps), eps = x.constant((s) => s.eps);
    const parts = x.parts(direction).map((part) =>
      part && newtonSchulz(part, [a!, b!, c!], steps, eps)
    );
    const matched = x.when((s) => s.adjustLrFn === "matchRmsAdamw");
    const scale = x.perParameter(`muon ${matched}`, ({ shape }) => shapeScale(shape, matched));
    const update = x.pack(parts).mul(scale).mul(x.scalar((s) => s.lr));
    return { p: shrunk(x).sub(update), state: { momentum_buffer: average } };
  }
}

function shapeScale(shape: readonly number[], matched: boolean): number {
  const [rows, columns] = shape as [number, number];
  return matched
    ? 0.2 * Math.sqrt(Math.max(rows, columns))
    : Math.sqrt(Math.max(1, rows / columns));
}

/** Singular values pushed towards 1 by an odd polynomial, iterated. */
function newtonSchulz(
  matrix: Tensor,
  [a, b, c]: readonly [number, number, number],
  steps: number,
  eps: number,
): Tensor {
  const tall = matrix.shape[0]! > matrix.shape[1]!;
  let x = roundBfloat16(tall ? matrix.transpose(0, 1) : matrix);
  x = roundBfloat16(x.div(roundBfloat16(x.square().sum().sqrt()).clamp(eps)));
  for (let i = 0; i < steps; i++) {
    const gram = roundBfloat16(x.matmul(x.transpose(0, 1)));
    const mix = roundBfloat16(gram.mul(b).add(gram.matmul(gram).mul(c)));
    x = roundBfloat16(x.mul(a).add(mix.matmul(x)));
  }
  return tall ? x.transpose(0, 1) : x;
}
