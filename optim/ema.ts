import { noGrad, type Tensor } from "../ops/mod.ts";
import {
  ARENA_BLOCK,
  type ArenaLayout,
  arenaLayout,
  arenaView,
  packArena,
  withoutPadding,
} from "../ops/arena.ts";
import { rangeError, ShapeError, shapeText, stateError } from "../ops/check.ts";
import { compile } from "../ops/compiled.ts";
import { hostScalar } from "../ops/host_scalar.ts";
import { afterStep } from "../ops/guard.ts";
import { assign } from "../ops/inplace.ts";

/** Options of {@linkcode EMA}. */
export interface EMAOptions {
  /** Share of the average that is kept at each update. @default 0.999 */
  decay?: number | undefined;
  /**
   * Let the decay grow with the updates as `(1 + n) / (10 + n)` up to `decay`, so that early
   * averages do not remember the initial values. @default true
   */
  warmup?: boolean | undefined;
}

/** Something with parameters and state under keys: a module. */
export interface Averaged {
  /** Tensors by key; they share memory with the module. */
  stateDict(): Record<string, Tensor>;
}

interface Part {
  readonly keys: readonly string[];
  readonly layout: ArenaLayout;
  readonly average: Tensor;
  /** Takes packed values into the average. */
  readonly fold: (packed: Tensor) => void;
}

/**
 * Exponential moving average of a module's floating parameters and buffers, whose values are better
 * to evaluate and sample with than those of the last step. One kernel for all of them.
 *
 * @example
 * ```ts
 * import { noGrad } from "@tensaurus/core";
 * import { Linear } from "@tensaurus/core/nn";
 * import { EMA } from "@tensaurus/core/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const model = new Linear(1, 1, { bias: false });
 * noGrad(() => model.weight.fill_(1));
 * const ema = new EMA(model, { decay: 0.5, warmup: false });
 * noGrad(() => model.weight.fill_(3));
 * ema.update();
 * await ema.swap(() => assertEquals(model.weight.dataSync()[0], 2));
 * assertEquals(await model.weight.item(), 3);
 * ```
 */
export class EMA {
  readonly #model: Averaged;
  readonly #decay: number;
  readonly #warmup: boolean;
  readonly #parts: readonly Part[];
  #updates = 0;

  /**
   * Starts averages at the present values.
   *
   * @param model Module to average.
   * @param options Decay and its warm-up.
   * @throws {RangeError} If `decay` is not within 0 to 1.
   */
  constructor(model: Averaged, options: EMAOptions = {}) {
    const { decay = 0.999, warmup = true } = options;
    if (!(decay >= 0 && decay <= 1)) {
      throw rangeError("EMA", `decay ${decay} is not between 0 and 1`);
    }
    this.#model = model;
    this.#decay = decay;
    this.#warmup = warmup;
    this.#parts = noGrad(() => partsOf(this.#tensors(), () => this.#share()));
  }

  #tensors(): Map<string, Tensor> {
    const entries = Object.entries(this.#model.stateDict());
    return new Map(entries.filter(([, x]) => x.dtype.startsWith("float")));
  }

  /** Number of updates so far. */
  get updates(): number {
    return this.#updates;
  }

  #share(): number {
    const n = this.#updates;
    return 1 - (this.#warmup ? Math.min(this.#decay, (1 + n) / (10 + n)) : this.#decay);
  }

  /** Takes the present values into the average; call it after each step, also within a compiled one. */
  update(): void {
    const tensors = this.#tensors();
    noGrad(() => {
      for (const { keys, layout, fold } of this.#parts) {
        fold(packArena(keys.map((key) => tensors.get(key)), layout));
      }
    });
    afterStep(() => this.#updates++);
  }

  /** The averages by key. */
  stateDict(): Record<string, Tensor> {
    const tensors = this.#tensors();
    const state: Record<string, Tensor> = {};
    for (const { keys, layout, average } of this.#parts) {
      for (const [i, key] of keys.entries()) {
        state[key] = arenaView(average.detach(), layout, i, tensors.get(key)!.shape);
      }
    }
    return state;
  }

  /**
   * Continues from saved averages.
   *
   * @param state Averages by key; other keys are left out.
   * @param updates Number of updates that they hold.
   * @throws {Error} If one is missing. @throws {ShapeError} If a shape differs.
   */
  loadStateDict(state: Readonly<Record<string, Tensor>>, updates: number): void {
    noGrad(() => {
      for (const [key, target] of Object.entries(this.stateDict())) {
        const value = state[key];
        if (!value) throw stateError("EMA.loadStateDict", `missing "${key}"`);
        if (shapeText(value.shape) !== shapeText(target.shape)) {
          const shapes = { average: target.shape, given: value.shape };
          throw new ShapeError("EMA.loadStateDict", `"${key}" has another shape`, shapes);
        }
        target.copy_(value);
      }
    });
    this.#updates = updates;
  }

  /** Runs `body` with the averages in the module, then puts the trained values back. */
  async swap<T>(body: () => T | Promise<T>): Promise<T> {
    const tensors = this.#tensors();
    const trained = noGrad(() => Array.from(tensors, ([key, x]) => [key, x.clone()] as const));
    this.#write(this.stateDict());
    try {
      return await body();
    } finally {
      this.#write(Object.fromEntries(trained));
    }
  }

  #write(values: Readonly<Record<string, Tensor>>): void {
    noGrad(() => {
      for (const [key, x] of this.#tensors()) if (values[key]) x.copy_(values[key]);
    });
  }
}

function partsOf(tensors: ReadonlyMap<string, Tensor>, share: () => number): Part[] {
  const kinds = new Map<string, [string, Tensor][]>();
  for (const entry of tensors) {
    const kind = `${entry[1].device} ${entry[1].dtype}`;
    kinds.set(kind, [...kinds.get(kind) ?? [], entry]);
  }
  return [...kinds.values()].map((entries) => {
    const layout = arenaLayout(entries.map(([, x]) => x.numel));
    const packed = packArena(entries.map(([, x]) => x), layout);
    const average = withoutPadding(packed, layout).clone().reshape([layout.blocks, ARENA_BLOCK]);
    const fold = compile((values: Tensor): void => {
      const weight = hostScalar(share, { like: average });
      const difference = withoutPadding(values, layout).sub(average);
      assign("EMA.update", average, average.add(difference.mul(weight)));
    }, { name: "EMA.update" });
    return { keys: entries.map(([key]) => key), layout, average, fold };
  });
}
