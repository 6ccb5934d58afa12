import { cat, enableGrad, noGrad, type Tensor, tensor, zeros, zerosLike } from "../ops/mod.ts";
import { rangeError, stateError } from "../ops/check.ts";
import { isTracing } from "../ops/guard.ts";
import { Curvature, readScalars, savedNumbers } from "./_curvature.ts";
import { type LinePoint, strongWolfe } from "./_line_search.ts";
import { pythonSettings, scriptSettings } from "./_names.ts";
import { checkParameters } from "./_parameters.ts";
import { checkNotNegative, withDefaults } from "./_rules.ts";
import type { OptimizerState, Options, ParameterGroup } from "./optimizer.ts";

/** Settings of {@linkcode LBFGS}. */
export interface LBFGSSettings {
  /** Step along the direction; with a line search its first trial. @default 1 */
  lr: number;
  /** Iterations in one `step()`. @default 20 */
  maxIter: number;
  /** Evaluations of the closure in one `step()`; null for five quarters of `maxIter`. @default null */
  maxEval: number | null;
  /** Largest element of a gradient that counts as zero. @default 1e-7 */
  toleranceGrad: number;
  /** Change of the loss, or of a parameter, that counts as none. @default 1e-9 */
  toleranceChange: number;
  /** Differences of gradients that are remembered. @default 100 */
  historySize: number;
  /** How far to go along the direction; null goes `lr`. @default null */
  lineSearchFn: "strongWolfe" | null;
  /** Go up instead of down. @default false */
  maximize: boolean;
}

/** A direction and how far to go along it. */
interface Move {
  readonly direction: Tensor;
  readonly t: number;
}

/** Where a move ended. */
interface Moved {
  readonly point: LinePoint;
  readonly evaluations: number;
}

/**
 * Limited-memory BFGS (Liu and Nocedal 1989), like `torch.optim.LBFGS`.
 *
 * A step evaluates the loss several times, so that `step()` takes a function that makes the gradients
 * anew, and decides on the host, so that it is awaited and cannot be compiled. All parameters are one
 * group, on one device and of one dtype. In the state, lists of tensors are stacked along a first axis.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { LBFGS } from "@tensaurus/core/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const w = tensor([2, -3], { requiresGrad: true });
 * const optimizer = new LBFGS([w], { lineSearchFn: "strongWolfe" });
 * await optimizer.step(() => {
 *   optimizer.zeroGrad();
 *   const loss = w.sub(1).square().sum();
 *   loss.backward();
 *   return loss;
 * });
 * assertAlmostEquals((await w.data())[0]!, 1, 1e-5);
 * ```
 */
export class LBFGS {
  /** The one group of parameters with its settings. */
  readonly paramGroups: readonly [ParameterGroup<LBFGSSettings>];
  #evaluations = 0;
  #iterations = 0;
  #curvature = new Curvature();
  /** The newest step: its direction, how far it went, and the gradient before it. */
  #newest: (Move & { gradient: Tensor }) | undefined;

  /**
   * Makes the optimizer.
   *
   * @param params Parameters.
   * @param settings Settings.
   * @throws {RangeError} If a setting is not allowed.
   * @throws {Error} If the parameters are groups, or on several devices.
   */
  constructor(params: Iterable<Tensor>, settings: Options<LBFGSSettings> = {}) {
    const list = [...params];
    if (!list.length) throw stateError("LBFGS", "there are no parameters");
    if (list.some((p) => "params" in p)) {
      throw stateError("LBFGS", "the parameters are groups", "pass one list of parameters");
    }
    checkParameters("LBFGS", list);
    const kinds = [...new Set(list.map((p) => `${p.dtype} on ${p.device}`))];
    if (kinds.length > 1) {
      throw stateError("LBFGS", `parameters are of several kinds: ${kinds.join(", ")}`);
    }
    const full = withDefaults<LBFGSSettings>("LBFGS", {
      lr: 1,
      maxIter: 20,
      maxEval: null,
      toleranceGrad: 1e-7,
      toleranceChange: 1e-9,
      historySize: 100,
      lineSearchFn: null,
      maximize: false,
    }, settings);
    checkNotNegative("LBFGS", full, ["lr", "toleranceGrad", "toleranceChange"]);
    for (const name of ["maxIter", "historySize"] as const) {
      if (Number.isInteger(full[name]) && full[name] >= 1) continue;
      throw rangeError("LBFGS", `${name} ${full[name]} is not a whole number of at least 1`);
    }
    const { lineSearchFn: search } = full;
    if (search !== null && search !== "strongWolfe") {
      throw rangeError("LBFGS", `lineSearchFn is "${search}", expected "strongWolfe" or null`);
    }
    this.paramGroups = [{ ...full, params: list }];
  }

  /** Drops the gradients of all parameters. */
  zeroGrad(): void {
    for (const p of this.paramGroups[0].params) p.grad = undefined;
  }

  /**
   * Updates the parameters.
   *
   * @param closure Drops the gradients, computes the loss and its gradients, and returns the loss.
   * @returns The loss before the update.
   * @throws {Error} Within a compiled function.
   */
  async step(closure: () => Tensor): Promise<Tensor> {
    if (isTracing()) {
      throw stateError(
        "LBFGS.step",
        "a compiled function cannot read values while it is traced",
        "call it outside",
      );
    }
    const { lr, maxIter, toleranceGrad, toleranceChange, ...group } = this.paramGroups[0];
    const maxEval = group.maxEval ?? Math.floor(maxIter * 5 / 4);
    const first = await this.#evaluate(closure);
    let here: LinePoint = first.point;
    let evaluations = 1;
    for (let i = 1; i <= maxIter && !(here.largest <= toleranceGrad); i++) {
      const { gradient, loss } = here;
      const direction = await this.#directionAt(gradient);
      const [slope, reach, total] = await readScalars(
        noGrad(() => [gradient.dot(direction), direction.abs().amax(), gradient.abs().sum()]),
      ) as [number, number, number];
      const t = ++this.#iterations === 1 ? Math.min(1, 1 / total) * lr : lr;
      const newest = this.#newest = { direction, t, gradient };
      if (slope > -toleranceChange) break;
      const start = { ...here, t: 0, slope };
      const left = maxEval - evaluations;
      const moved = group.lineSearchFn
        ? await this.#search(closure, start, { direction, t, reach, rounds: left })
        : await this.#go(closure, start, { direction, t }, i < maxIter);
      here = moved.point;
      evaluations += moved.evaluations;
      newest.t = here.t;
      if (evaluations >= maxEval || reach * here.t <= toleranceChange) break;
      if (Math.abs(here.loss - loss) < toleranceChange) break;
    }
    return first.loss;
  }

  /** The closure's loss and gradient at the parameters' place, and the slope along a direction. */
  async #evaluate(
    closure: () => Tensor,
    line?: Move,
  ): Promise<{ point: LinePoint; loss: Tensor }> {
    this.#evaluations++;
    const loss = enableGrad(closure).detach();
    const { params, maximize } = this.paramGroups[0];
    const [gradient, read] = noGrad(() => {
      const flat = cat(params.map((p) => (p.grad ?? zerosLike(p)).to(p.dtype).flatten()), 0);
      const gradient = maximize ? flat.neg() : flat.clone();
      const slope = line ? [gradient.dot(line.direction)] : [];
      return [gradient, [loss, gradient.abs().amax(), ...slope]];
    });
    const [value, largest, slope = 0] = await readScalars(read) as [number, number, number?];
    const point = { t: line?.t ?? 0, loss: maximize ? -value : value, gradient, largest, slope };
    return { point, loss };
  }

  /** A step of fixed length; after the last one of all the loss is not needed. */
  async #go(
    closure: () => Tensor,
    start: LinePoint,
    line: Move,
    again: boolean,
  ): Promise<Moved> {
    this.#place(this.#flat(), line);
    if (!again) return { point: { ...start, t: line.t }, evaluations: 0 };
    return { point: (await this.#evaluate(closure, line)).point, evaluations: 1 };
  }

  /** A step as long as the line search finds right. */
  async #search(
    closure: () => Tensor,
    start: LinePoint,
    line: Move & { reach: number; rounds: number },
  ): Promise<Moved> {
    const origin = this.#flat();
    const evaluate = async (t: number): Promise<LinePoint> => {
      this.#place(origin, { ...line, t });
      return (await this.#evaluate(closure, { ...line, t })).point;
    };
    const found = await strongWolfe({ ...line, start, evaluate });
    this.#place(origin, { ...line, t: found.point.t });
    return found;
  }

  /** All parameters in one axis. */
  #flat(): Tensor {
    return noGrad(() => cat(this.paramGroups[0].params.map((p) => p.flatten()), 0).clone());
  }

  /** Puts the parameters `t` steps from a place. */
  #place(origin: Tensor, { direction, t }: Move): void {
    noGrad(() => {
      const flat = origin.add(direction.mul(t));
      let start = 0;
      for (const p of this.paramGroups[0].params) {
        p.copy_(flat.slice(0, start, start += p.numel).reshape(p.shape));
      }
    });
  }

  /** The direction from a place, after the step that led there is remembered. */
  async #directionAt(gradient: Tensor): Promise<Tensor> {
    const { historySize } = this.paramGroups[0];
    const newest = this.#newest;
    if (newest) {
      const step = newest.direction.mul(newest.t);
      await this.#curvature.add(step, gradient.sub(newest.gradient), historySize);
    }
    return this.#curvature.direction(gradient);
  }

  /** State and settings; names are PyTorch's. */
  stateDict(): OptimizerState {
    const { params, ...settings } = this.paramGroups[0];
    const group = { ...pythonSettings(settings), params: params.map((_, i) => i) };
    const newest = this.#newest;
    if (!newest) return { state: {}, param_groups: [group] };
    const { dtype, device } = newest.direction;
    const count = (value: number): Tensor => tensor(value, { dtype: "int32", device });
    const state = {
      func_evals: count(this.#evaluations),
      n_iter: count(this.#iterations),
      d: newest.direction,
      t: tensor(newest.t, { dtype, device }),
      prev_flat_grad: newest.gradient,
      ...this.#curvature.state(dtype, device),
    };
    return { state: { 0: state }, param_groups: [group] };
  }

  /**
   * Continues from a saved state.
   *
   * @param saved What `stateDict()` gave.
   * @throws {Error} If the number of parameters differs.
   */
  loadStateDict(saved: OptimizerState): void {
    const [group] = this.paramGroups;
    const { params, ...settings } = saved.param_groups[0]!;
    const count = (params as readonly number[]).length;
    if (count !== group.params.length) {
      throw stateError(
        "loadStateDict",
        `group 0 was saved with ${count} parameters, the optimizer has ${group.params.length}`,
      );
    }
    Object.assign(group, scriptSettings(settings));
    const state = saved.state[0] ?? {};
    const { dtype, device } = group.params[0]!;
    const own = (x: Tensor): Tensor => zeros(x.shape, { dtype, device }).copy_(x);
    this.#evaluations = savedNumbers(state.func_evals)[0] ?? 0;
    this.#iterations = savedNumbers(state.n_iter)[0] ?? 0;
    const { d, prev_flat_grad: gradient } = state;
    this.#newest = d && gradient
      ? { direction: own(d), t: savedNumbers(state.t)[0]!, gradient: own(gradient) }
      : undefined;
    this.#curvature.restore(state, own);
  }
}
