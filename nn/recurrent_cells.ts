/** Single steps of recurrent layers. */
import { linear, ShapeError, type Tensor, zeros } from "../ops/mod.ts";
import { checkChoice } from "../ops/check.ts";
import { checkCount } from "./_check.ts";
import { fanBound, uniformParameter } from "./_factory.ts";
import { type FactoryOptions, Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** Options of {@linkcode GRUCell} and {@linkcode LSTMCell}. */
export interface CellOptions extends FactoryOptions {
  /** Add learned offsets. @default true */
  bias?: boolean | undefined;
}

/** Options of {@linkcode RNNCell}. */
export interface RNNCellOptions extends CellOptions {
  /** Function of the state. @default "tanh" */
  nonlinearity?: "tanh" | "relu" | undefined;
}

/** What the cells have in common: the parameters. */
export abstract class CellBase extends Module {
  /** Size of the last axis of the input. */
  readonly inputSize: number;
  /** Size of the state. */
  readonly hiddenSize: number;
  /** Weight of the input `[gates · hiddenSize, inputSize]`. */
  weightIh: Parameter;
  /** Weight of the state `[gates · hiddenSize, hiddenSize]`. */
  weightHh: Parameter;
  /** Offset of the input's part. */
  biasIh: Parameter | undefined;
  /** Offset of the state's part. */
  biasHh: Parameter | undefined;
  readonly #name: string;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param gates Gates of a unit.
   * @param inputSize Size of the last axis of the input.
   * @param hiddenSize Size of the state.
   * @param options Bias, dtype, device.
   */
  constructor(
    name: string,
    gates: number,
    inputSize: number,
    hiddenSize: number,
    options: CellOptions,
  ) {
    super();
    checkCount(name, "inputSize", inputSize);
    checkCount(name, "hiddenSize", hiddenSize);
    this.#name = name;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    const bound = fanBound(hiddenSize), rows = gates * hiddenSize;
    const bias = options.bias ?? true;
    this.weightIh = uniformParameter([rows, inputSize], bound, options);
    this.weightHh = uniformParameter([rows, hiddenSize], bound, options);
    this.biasIh = bias ? uniformParameter([rows], bound, options) : undefined;
    this.biasHh = bias ? uniformParameter([rows], bound, options) : undefined;
  }

  /** Input and states as `[B, ·]`; a missing state is zeros. */
  protected prepare(x: Tensor, states: readonly (Tensor | undefined)[]): [Tensor, ...Tensor[]] {
    if ((x.ndim !== 1 && x.ndim !== 2) || x.shape.at(-1) !== this.inputSize) {
      const problem = `input needs 1 or 2 dimensions, the last of size ${this.inputSize}`;
      throw new ShapeError(this.#name, problem, { input: x.shape });
    }
    const input = x.ndim === 1 ? x.unsqueeze(0) : x;
    const shape = [input.shape[0]!, this.hiddenSize];
    const ready = states.map((given) => {
      if (!given) return zeros(shape, { dtype: x.dtype, device: x.device });
      const state = x.ndim === 1 ? given.unsqueeze(0) : given;
      if (state.shape.join() !== shape.join()) {
        throw new ShapeError(this.#name, "the state does not fit the input", {
          input: x.shape,
          state: given.shape,
        });
      }
      return state;
    });
    return [input, ...ready];
  }

  /** Drops the batch axis where the input had none. */
  protected unbatch(x: Tensor, state: Tensor): Tensor {
    return x.ndim === 1 ? state.squeeze(0) : state;
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${this.inputSize}, ${this.hiddenSize}`;
  }
}

/**
 * One step of an Elman layer, like `torch.nn.RNNCell`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { RNNCell } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new RNNCell(4, 3).forward(zeros([2, 4])).shape, [2, 3]);
 * ```
 */
export class RNNCell extends CellBase {
  readonly #nonlinearity: "tanh" | "relu";

  /**
   * Makes the module.
   *
   * @param inputSize Size of the last axis of the input.
   * @param hiddenSize Size of the state.
   * @param options Nonlinearity, bias, dtype, device.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(inputSize: number, hiddenSize: number, options: RNNCellOptions = {}) {
    super("RNNCell", 1, inputSize, hiddenSize, options);
    this.#nonlinearity = options.nonlinearity ?? "tanh";
    checkChoice("RNNCell", "nonlinearity", this.#nonlinearity, ["tanh", "relu"]);
  }

  /** The next state. @throws {ShapeError} If shapes do not fit. */
  forward(x: Tensor, hidden?: Tensor | undefined): Tensor {
    const [input, h] = this.prepare(x, [hidden]) as [Tensor, Tensor];
    const sum = linear(input, this.weightIh, this.biasIh)
      .add(linear(h, this.weightHh, this.biasHh));
    return this.unbatch(x, this.#nonlinearity === "tanh" ? sum.tanh() : sum.relu());
  }
}

/**
 * One step of a gated recurrent unit, like `torch.nn.GRUCell`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { GRUCell } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new GRUCell(4, 3).forward(zeros([2, 4])).shape, [2, 3]);
 * ```
 */
export class GRUCell extends CellBase {
  /**
   * Makes the module.
   *
   * @param inputSize Size of the last axis of the input.
   * @param hiddenSize Size of the state.
   * @param options Bias, dtype, device.
   * @throws {RangeError} If a size is not positive.
   */
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super("GRUCell", 3, inputSize, hiddenSize, options);
  }

  /** The next state. @throws {ShapeError} If shapes do not fit. */
  forward(x: Tensor, hidden?: Tensor | undefined): Tensor {
    const [input, h] = this.prepare(x, [hidden]) as [Tensor, Tensor];
    const [xr, xz, xn] = linear(input, this.weightIh, this.biasIh).chunk(3, 1);
    const [hr, hz, hn] = linear(h, this.weightHh, this.biasHh).chunk(3, 1);
    const reset = xr!.add(hr!).sigmoid(), update = xz!.add(hz!).sigmoid();
    const next = xn!.add(reset.mul(hn!)).tanh();
    return this.unbatch(x, next.add(update.mul(h.sub(next))));
  }
}

/**
 * One step of a long short-term memory, like `torch.nn.LSTMCell`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { LSTMCell } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const [h, c] = new LSTMCell(4, 3).forward(zeros([2, 4]));
 * assertEquals([h.shape, c.shape], [[2, 3], [2, 3]]);
 * ```
 */
export class LSTMCell extends CellBase {
  /**
   * Makes the module.
   *
   * @param inputSize Size of the last axis of the input.
   * @param hiddenSize Size of the state.
   * @param options Bias, dtype, device.
   * @throws {RangeError} If a size is not positive.
   */
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super("LSTMCell", 4, inputSize, hiddenSize, options);
  }

  /** The next hidden and cell states. @throws {ShapeError} If shapes do not fit. */
  forward(x: Tensor, state?: readonly [Tensor, Tensor] | undefined): [Tensor, Tensor] {
    const [input, h, c] = this.prepare(x, [state?.[0], state?.[1]]) as [Tensor, Tensor, Tensor];
    const sum = linear(input, this.weightIh, this.biasIh)
      .add(linear(h, this.weightHh, this.biasHh));
    const [i, f, g, o] = sum.chunk(4, 1) as [Tensor, Tensor, Tensor, Tensor];
    const cell = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
    const hidden = o.sigmoid().mul(cell.tanh());
    return [this.unbatch(x, hidden), this.unbatch(x, cell)];
  }
}
