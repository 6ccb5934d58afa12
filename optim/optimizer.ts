import { noGrad, type Tensor } from "../ops/mod.ts";
import { rangeError, ShapeError, shapeText, stateError } from "../ops/check.ts";
import { compile } from "../ops/compiled.ts";
import { HostScalars } from "../ops/host_scalar.ts";
import { guarded } from "../ops/guard.ts";
import { Bucket, type RuleTensors, type StatePlan, type Updated } from "./_bucket.ts";
import { pythonSettings, scriptSettings } from "./_names.ts";
import { checkParameters } from "./_parameters.ts";
import { checkSettings } from "./_rules.ts";

export type { RuleTensors, StatePlan, Updated } from "./_bucket.ts";

/** Settings that every optimizer has. */
export interface OptimizerSettings {
  /** Learning rate. */
  lr: number;
}

/** Settings of an optimizer of which each may be left out. */
export type Options<S> = { readonly [K in keyof S]?: S[K] | undefined };

/** Parameters with their settings, which may be changed between steps. */
export type ParameterGroup<S extends OptimizerSettings = OptimizerSettings> = S & {
  /** The parameters. */
  params: Tensor[];
  /** Learning rate before any scheduler. */
  initialLr?: number | undefined;
};

/** Parameters, or groups of them with settings of their own. */
export type ParameterSource<S extends OptimizerSettings> =
  | Iterable<Tensor>
  | Iterable<{ params: Iterable<Tensor> } & Options<S>>;

/** What the `stateDict()` of an optimizer holds, in PyTorch's form and names. */
export interface OptimizerState {
  /** State by parameter: positions count through all groups. */
  readonly state: Readonly<Record<number, Readonly<Record<string, Tensor>>>>;
  /** Settings by group, with the positions of its parameters. */
  readonly param_groups: readonly Readonly<Record<string, unknown>>[];
}

/** What a rule is given. */
export interface RuleInput<S extends OptimizerSettings> extends RuleTensors {
  /** Settings that decide how the rule is written; a compiled step is traced anew when it changes. */
  when(condition: (group: S) => boolean): boolean;
  /** A setting that is a constant of the kernel; a compiled step is traced anew when it changes. */
  constant(read: (group: S) => number): number;
  /** A setting that schedulers change: a scalar that the kernel reads anew at every step. */
  scalar(read: (group: S) => number): Tensor;
}

/**
 * Base of all optimizers, like `torch.optim.Optimizer`: what it keeps for each parameter, and one
 * update rule over flat tensors.
 *
 * The parameters of a group move into one array, so that a step is one kernel for all of them;
 * their handles stay the same. Parameters without a gradient are left alone.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { Optimizer, type RuleInput, type StatePlan, type Updated } from "@tensaurus/core/optim";
 * import { assertEquals } from "@std/assert";
 *
 * class Sign extends Optimizer<{ lr: number }> {
 *   override keeps(): StatePlan {
 *     return {};
 *   }
 *   override rule({ p, g, scalar }: RuleInput<{ lr: number }>): Updated {
 *     return { p: p.sub(g.sign().mul(scalar((s) => s.lr))) };
 *   }
 * }
 *
 * const w = tensor([1, -1], { requiresGrad: true });
 * const optimizer = new Sign("Sign", [w], { lr: 0.5 });
 * w.square().sum().backward();
 * optimizer.step();
 * assertEquals([...await w.data()], [0.5, -0.5]);
 * ```
 */
export abstract class Optimizer<S extends OptimizerSettings = OptimizerSettings> {
  /** Groups of parameters with their settings. */
  readonly paramGroups: ParameterGroup<S>[] = [];
  readonly #name: string;
  readonly #defaults: S;
  readonly #buckets: Bucket[][] = [];
  readonly #updates = new Map<Bucket, (gradients: Tensor, active: string) => void>();
  readonly #before = new Set<(optimizer: never) => void>();
  readonly #after = new Set<(optimizer: never) => void>();

  /**
   * Makes the optimizer.
   *
   * @param name Name in messages.
   * @param params Parameters, or groups with settings of their own.
   * @param defaults Settings of groups that do not say.
   */
  constructor(name: string, params: ParameterSource<S>, defaults: S) {
    this.#name = name;
    this.#defaults = defaults;
    const list = [...params as Iterable<Tensor | { params: Iterable<Tensor> } & Options<S>>];
    if (!list.length) throw stateError(name, "there are no parameters");
    const groups = list.filter((entry) => "params" in entry);
    if (groups.length && groups.length < list.length) {
      throw stateError(name, "parameters and groups of parameters are mixed");
    }
    if (groups.length) { for (const group of groups) this.addParamGroup(group); }
    else this.addParamGroup({ params: list as Tensor[] } as { params: Tensor[] } & Options<S>);
  }

  /** Name in messages. */
  protected get name(): string {
    return this.#name;
  }

  /** What is kept for the parameters of a group. */
  abstract keeps(group: Readonly<S>): StatePlan;

  /** New parameters and state from the old ones and the gradients, written with tensor operations. */
  abstract rule(input: RuleInput<S>): Updated;

  /** Checks the settings of a group; subclasses add theirs. @throws {RangeError} If one is not allowed. */
  check(group: Readonly<S>): void {
    this.#checkLr(group.lr);
  }

  #checkLr(lr: number): void {
    if (!(lr >= 0)) throw rangeError(this.#name, `lr ${lr} is not at least 0`);
  }

  /** Adds parameters with settings of their own, like `add_param_group`. */
  addParamGroup(group: { params: Iterable<Tensor> } & Options<S>): void {
    const { params: _params, initialLr: _initialLr, ...own } = group as ParameterGroup<S>;
    checkSettings(this.#name, own, this.#defaults);
    const full = { ...this.#defaults, ...defined(group), params: [...group.params] };
    const typed = full as unknown as ParameterGroup<S>;
    this.check(typed);
    const known = new Set(this.paramGroups.flatMap((g) => g.params));
    checkParameters(this.#name, typed.params, known);
    this.paramGroups.push(typed);
    this.#buckets.push(bucketsOf(this.#name, typed.params));
  }

  /** Drops the gradients of all parameters. */
  zeroGrad(): void {
    for (const { params } of this.paramGroups) for (const p of params) p.grad = undefined;
  }

  /** Updates all parameters that have a gradient. */
  step(): void {
    for (const hook of this.#before) hook(this as never);
    guarded(() => this.paramGroups.length);
    noGrad(() => {
      for (const [i, group] of this.paramGroups.entries()) {
        for (const bucket of this.#buckets[i]!) {
          bucket.step(this.keeps(group), this.#updateOf(bucket, group));
        }
      }
    });
    for (const hook of this.#after) hook(this as never);
  }

  #updateOf(
    bucket: Bucket,
    group: ParameterGroup<S>,
  ): (gradients: Tensor, active: string) => void {
    const known = this.#updates.get(bucket);
    if (known) return known;
    const update = compile((gradients: Tensor, active: string): void => {
      const tensors = bucket.tensors(gradients, active);
      const scalars = new HostScalars(tensors.p);
      const input: RuleInput<S> = {
        ...tensors,
        when: (condition) => guarded(() => condition(group)),
        constant: (read) => guarded(() => read(group)),
        scalar: (read) => scalars.add(() => read(group)),
      };
      bucket.commit(gradients, active, noGrad(() => this.rule(input)));
    }, { name: `${this.#name}.step` });
    this.#updates.set(bucket, update);
    return update;
  }

  /** Calls `hook` before each step; returns a function that removes it. Not called by replays of a compiled step. */
  registerStepPreHook(hook: (optimizer: this) => void): () => void {
    this.#before.add(hook);
    return () => void this.#before.delete(hook);
  }

  /** Calls `hook` after each step; returns a function that removes it. Not called by replays of a compiled step. */
  registerStepPostHook(hook: (optimizer: this) => void): () => void {
    this.#after.add(hook);
    return () => void this.#after.delete(hook);
  }

  /** State and settings in PyTorch's form; the tensors share memory with the optimizer. */
  stateDict(): OptimizerState {
    const state: Record<number, Record<string, Tensor>> = {};
    const groups: Record<string, unknown>[] = [];
    let position = 0;
    for (const [i, { params, ...settings }] of this.paramGroups.entries()) {
      const positions = new Map(params.map((p, k) => [p, position + k]));
      for (const bucket of this.#buckets[i]!) {
        for (const [k, p] of bucket.parameters.entries()) {
          const own = bucket.stateOf(k);
          if (own && Object.keys(own).length) state[positions.get(p)!] = own;
        }
      }
      groups.push({ ...pythonSettings(settings), params: params.map((p) => positions.get(p)!) });
      position += params.length;
    }
    return { state, param_groups: groups };
  }

  /**
   * Continues from a saved state.
   *
   * @param saved What `stateDict()` gave, also PyTorch's.
   * @throws {Error} If the number of groups or of their parameters differs.
   * @throws {ShapeError} If state does not have the shape of its parameter.
   */
  loadStateDict(saved: OptimizerState): void {
    const count = saved.param_groups.length;
    if (count !== this.paramGroups.length) {
      throw stateError(
        "loadStateDict",
        `${count} parameter groups were saved, the optimizer has ${this.paramGroups.length}`,
      );
    }
    for (const [i, group] of this.paramGroups.entries()) {
      const positions = saved.param_groups[i]!.params as readonly number[];
      if (positions.length !== group.params.length) {
        throw stateError(
          "loadStateDict",
          `group ${i} was saved with ${positions.length} parameters, the optimizer has ${group.params.length}`,
        );
      }
      this.#checkShapes(i, group, saved);
    }
    noGrad(() => {
      for (const [i, group] of this.paramGroups.entries()) this.#restoreGroup(i, group, saved);
    });
  }

  #checkShapes(i: number, group: ParameterGroup<S>, saved: OptimizerState): void {
    const { params, ...settings } = saved.param_groups[i]!;
    const { arrays } = this.keeps({ ...group, ...scriptSettings(settings) });
    for (const [k, p] of group.params.entries()) {
      const state = saved.state[(params as readonly number[])[k]!];
      for (const name of Object.keys(arrays ?? {})) {
        const given = state?.[name];
        if (!given || shapeText(given.shape) === shapeText(p.shape)) continue;
        const shapes = { parameter: p.shape, given: given.shape };
        throw new ShapeError("loadStateDict", `"${name}" does not fit its parameter`, shapes);
      }
    }
  }

  #restoreGroup(i: number, group: ParameterGroup<S>, saved: OptimizerState): void {
    const { params, ...settings } = saved.param_groups[i]!;
    const positions = params as readonly number[];
    Object.assign(group, scriptSettings(settings));
    for (const bucket of this.#buckets[i]!) {
      const states = bucket.parameters.map((p) => saved.state[positions[group.params.indexOf(p)]!]);
      bucket.restore(this.keeps(group), states);
    }
  }
}

function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

function bucketsOf(name: string, params: readonly Tensor[]): Bucket[] {
  const kinds = new Map<string, Tensor[]>();
  for (const p of params) {
    const kind = `${p.device} ${p.dtype}`;
    kinds.set(kind, [...kinds.get(kind) ?? [], p]);
  }
  return [...kinds.values()].map((list) => new Bucket(name, list));
}
