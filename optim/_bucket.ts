/** Parameters of one group, dtype and device in one array, with their optimizer state beside them. */
import { noGrad, type Tensor, where } from "../ops/mod.ts";
import {
  type ArenaLayout,
  arenaLayout,
  arenaOf,
  arenaView,
  moveIntoArena,
  packArena,
  perRow,
  spreadRows,
  withoutPadding,
} from "../ops/arena.ts";
import { stateError } from "../ops/check.ts";
import { fullOn } from "../ops/host_values.ts";
import { isTracing, traceToken, untraced } from "../ops/guard.ts";
import { assign } from "../ops/inplace.ts";

/** What a rule reads; flat tensors are `[blocks, 64]`, counters broadcast against them. */
export interface RuleTensors {
  /** Parameters. */
  readonly p: Tensor;
  /** Gradients; zero where no parameter lies. */
  readonly g: Tensor;
  /** State by name: arrays like `p`, and counters. */
  readonly state: Readonly<Record<string, Tensor>>;
  /** State of other shapes, by parameter. */
  readonly own: readonly Readonly<Record<string, Tensor>>[];
  /** Each parameter's part of a flat tensor, in its shape; `undefined` where it has no gradient. */
  parts(flat: Tensor): (Tensor | undefined)[];
  /** A flat tensor of parts. */
  pack(parts: readonly (Tensor | undefined)[]): Tensor;
  /** One number per parameter, as `[blocks, 1]`; `name` tells it from others. */
  perParameter(name: string, valueOf: (p: Tensor) => number): Tensor;
}

/** What a rule gives: new values; what is absent stays. */
export interface Updated {
  /** New parameters. */
  readonly p?: Tensor | undefined;
  /** New state by name. */
  readonly state?: Readonly<Record<string, Tensor>> | undefined;
  /** New state of other shapes, by parameter. */
  readonly own?: readonly (Readonly<Record<string, Tensor>> | undefined)[] | undefined;
}

/** What an optimizer keeps for each parameter. */
export interface StatePlan {
  /** Arrays of the parameter's shape: initial value by name. */
  readonly arrays?: Readonly<Record<string, number>> | undefined;
  /** One number per parameter, such as the count of steps: initial value by name. */
  readonly counters?: Readonly<Record<string, number>> | undefined;
  /** Zeros of other shapes, by name. */
  readonly own?: ((p: Tensor) => Readonly<Record<string, readonly number[]>>) | undefined;
}

/** A run of parameters that one kernel updates. */
export class Bucket {
  readonly parameters: readonly Tensor[];
  readonly layout: ArenaLayout;
  readonly #name: string;
  #flat: Tensor;
  readonly #arrays = new Map<string, Tensor>();
  readonly #counters = new Map<string, Tensor>();
  #own: Record<string, Tensor>[] = [];
  #steppedIn: object | undefined;
  /** Whether each parameter has been stepped; PyTorch makes state at the first step. */
  readonly #started: boolean[];
  /** Whether all started parameters have the same counters, which are then 0-dimensional. */
  #uniform = true;

  constructor(name: string, parameters: readonly Tensor[]) {
    this.#name = name;
    this.parameters = parameters;
    this.layout = arenaLayout(parameters.map((p) => p.numel));
    this.#started = parameters.map(() => false);
    this.#flat = this.#adopt();
  }

  /** Moves the parameters into one array, unless they lie in one already. */
  #adopt(): Tensor {
    const there = arenaOf(this.parameters, this.layout);
    if (there) return there;
    if (isTracing()) {
      throw stateError(
        this.#name,
        "a compiled function cannot make an optimizer, or use one whose parameters were moved",
        "make optimizers outside, after moving the model",
      );
    }
    return noGrad(() => {
      const flat = withoutPadding(packArena(this.parameters, this.layout), this.layout);
      moveIntoArena(this.parameters, this.layout, flat);
      return flat;
    });
  }

  /** Follows parameters that something else moved (another optimizer, another dtype). */
  #settle(): void {
    const there = arenaOf(this.parameters, this.layout);
    if (there?.storage === this.#flat.storage) return;
    const before = this.#flat;
    this.#flat = this.#adopt();
    if (this.#arrays.size && before.device !== this.#flat.device) {
      throw stateError(
        this.#name,
        `the parameters moved from ${before.device} to ${this.#flat.device} after the first step`,
        "make the optimizer after moving the model",
      );
    }
  }

  #ensure(plan: StatePlan): void {
    const { backend } = this.#flat.storage;
    const { shape, dtype } = this.#flat;
    for (const [name, value] of Object.entries(plan.arrays ?? {})) {
      if (this.#arrays.has(name)) continue;
      this.#arrays.set(name, fullOn(backend, shape, value, dtype));
    }
    const rows = this.#uniform ? [] : [this.layout.blocks, 1];
    for (const [name, value] of Object.entries(plan.counters ?? {})) {
      if (this.#counters.has(name)) continue;
      this.#counters.set(name, fullOn(backend, rows, value, "float32"));
    }
    if (!plan.own || this.#own.length) return;
    this.#own = this.parameters.map((p) =>
      Object.fromEntries(
        Object.entries(plan.own!(p)).map((
          [name, sizes],
        ) => [name, fullOn(backend, sizes, 0, dtype)]),
      )
    );
  }

  /** Counters get one number per row from the first step that treats parameters differently. */
  #diverge(active: readonly boolean[], plan: StatePlan): void {
    const same = active.every((on, i) => on === this.#started[i]);
    const begins = this.#started.every((on) => !on);
    if (!this.#uniform || same || begins || !this.#counters.size) return;
    if (traceToken() && traceToken() === this.#steppedIn) {
      throw stateError(
        this.#name,
        "two steps in one compiled function leave out different parameters",
        "compile them apart",
      );
    }
    this.#uniform = false;
    const started = this.#rows("bool", keyOf(this.#started), (i) => Number(this.#started[i]));
    for (const [name, value] of this.#counters) {
      const rows = where(started, value, plan.counters![name]!);
      value.rebind(rows.storage, rows);
    }
  }

  #rows(dtype: "bool" | "int32" | "float32", key: string, valueOf: (i: number) => number): Tensor {
    const { backend } = this.#flat.storage;
    const { layout } = this;
    return perRow(layout, backend, key, dtype, () => spreadRows(layout, valueOf));
  }

  /**
   * One step: packs the gradients and has `run` update parameters and state. Parameters without a
   * gradient stay as they are.
   */
  step(plan: StatePlan, run: (gradients: Tensor, active: string) => void): void {
    const gradients = this.parameters.map((p) => p.grad?.to(p.dtype));
    const active = gradients.map((g) => g !== undefined);
    if (!active.includes(true)) return;
    this.#settle();
    // State is made at once even while a function is traced, so that its plan captures it.
    untraced(() => {
      this.#ensure(plan);
      this.#diverge(active, plan);
    });
    this.#steppedIn = traceToken();
    for (const [i, on] of active.entries()) if (on) this.#started[i] = true;
    run(packArena(gradients, this.layout), active.includes(false) ? keyOf(active) : "");
  }

  /** What the rule sees: called within the function that updates. */
  tensors(gradients: Tensor, active: string): RuleTensors {
    const { layout, parameters } = this;
    const present = (i: number) => active === "" || active[i] === "1";
    return {
      p: this.#flat,
      g: withoutPadding(gradients, layout),
      state: Object.fromEntries([...this.#arrays, ...this.#counters]),
      own: this.#own,
      parts: (flat) =>
        parameters.map((p, i) => present(i) ? arenaView(flat, layout, i, p.shape) : undefined),
      pack: (parts) => withoutPadding(packArena(parts, layout), layout),
      perParameter: (name, valueOf) => {
        const key = `${name} ${parameters.map(valueOf).join()}`;
        return this.#rows("float32", key, (i) => valueOf(parameters[i]!));
      },
    };
  }

  /** Puts new values in place, but not those of parameters without a gradient. */
  commit(gradients: Tensor, active: string, updated: Updated): void {
    const mask = active && this.#rows("bool", active, (i) => Number(active[i]));
    const read = new Set([this.#flat.storage, gradients.storage]);
    for (const x of [...this.#arrays.values(), ...this.#counters.values()]) read.add(x.storage);
    const put = (target: Tensor, value: Tensor, masked: boolean) => {
      const kept = masked && mask ? where(mask, value, target) : value;
      const ready = kept.to(target.dtype).expand(target.shape);
      assign(this.#name, target, ready, read.has(ready.storage));
    };
    if (updated.p) put(this.#flat, updated.p, true);
    for (const [name, value] of Object.entries(updated.state ?? {})) {
      const counter = this.#counters.get(name);
      if (counter) put(counter, value, !this.#uniform);
      else put(this.#arrays.get(name)!, value, true);
    }
    for (const [i, values] of (updated.own ?? []).entries()) {
      for (const [name, value] of Object.entries(values ?? {})) {
        put(this.#own[i]![name]!, value, false);
      }
    }
  }

  /** State of one parameter by name, as views; `undefined` before its first step. */
  stateOf(i: number): Record<string, Tensor> | undefined {
    if (!this.#started[i]) return undefined;
    const state: Record<string, Tensor> = {};
    for (const [name, value] of this.#counters) {
      if (name.startsWith("_")) continue;
      state[name] = this.#uniform
        ? value.detach()
        : value.detach().slice(0, this.layout.rows[i]!, this.layout.rows[i]! + 1).reshape([]);
    }
    for (const [name, value] of this.#arrays) {
      state[name] = arenaView(value.detach(), this.layout, i, this.parameters[i]!.shape);
    }
    for (const [name, value] of Object.entries(this.#own[i] ?? {})) state[name] = value.detach();
    return state;
  }

  /** Replaces the state of all parameters; `undefined` is that of a parameter never stepped. */
  restore(
    plan: StatePlan,
    states: readonly (Readonly<Record<string, Tensor>> | undefined)[],
  ): void {
    this.#settle();
    this.#ensure(plan);
    for (const [i, state] of states.entries()) this.#started[i] = state !== undefined;
    for (const [name, target] of this.#arrays) {
      const initial = plan.arrays?.[name] ?? 0;
      const parts = this.parameters.map((p, i) => {
        const given = states[i]?.[name];
        return given ? given.to(p.dtype) : fullOn(p.storage.backend, p.shape, initial, p.dtype);
      });
      target.copy_(withoutPadding(packArena(parts, this.layout), this.layout));
    }
    this.#restoreCounters(plan, states);
    for (const [i, own] of this.#own.entries()) {
      for (const [name, target] of Object.entries(own)) {
        const given = states[i]?.[name];
        if (given) target.copy_(given);
        else target.zero_();
      }
    }
  }

  #restoreCounters(
    plan: StatePlan,
    states: readonly (Readonly<Record<string, Tensor>> | undefined)[],
  ): void {
    const values = new Map<string, number[]>();
    for (const name of this.#counters.keys()) {
      const initial = plan.counters?.[name] ?? 0;
      values.set(
        name,
        states.map((state) => {
          if (!state) return initial;
          const given = state[name];
          return given ? Number(given.dataSync()[0]) : initial + 1;
        }),
      );
    }
    const first = states.findIndex((state) => state !== undefined);
    this.#uniform = [...values.values()].every((list) =>
      list.every((value, i) => !states[i] || value === list[first])
    );
    for (const [name, target] of this.#counters) {
      const list = values.get(name)!;
      const value = this.#uniform
        ? fullOn(target.storage.backend, [], list[Math.max(0, first)]!, "float32")
        : this.#rows("float32", `${name} ${list}`, (i) => list[i]!).clone();
      if (value.ndim === target.ndim) target.copy_(value);
      else target.rebind(value.storage, value);
    }
  }
}

function keyOf(flags: readonly boolean[]): string {
  return flags.map((on) => on ? "1" : "0").join("");
}
