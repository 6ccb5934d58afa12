/** Recurrent layers over sequences. */
import { gruSequence, linear, lstmSequence, rnnSequence, type Tensor, zeros } from "../ops/mod.ts";
import { checkChoice, rangeError } from "../ops/check.ts";
import {
  type LSTMOptions,
  RecurrentBase,
  type RecurrentOptions,
  type RecurrentWeights,
  type SequenceOptions,
} from "./recurrent_base.ts";

/** Options of {@linkcode RNN}. */
export interface RNNOptions extends RecurrentOptions {
  /** Function of the state. @default "tanh" */
  nonlinearity?: "tanh" | "relu" | undefined;
}

function sumOf(a: Tensor | undefined, b: Tensor | undefined): Tensor | undefined {
  return a && b ? a.add(b) : a ?? b;
}

/** What {@linkcode RNN} and {@linkcode GRU} have in common: a unit keeps one state. */
export abstract class OneStateRecurrentBase extends RecurrentBase {
  /**
   * Outputs of the last layer and final states of all.
   *
   * @param x The sequences.
   * @param hidden Initial states; zeros by default.
   * @param options Lengths of the sequences.
   * @throws {ShapeError} If shapes do not fit.
   */
  forward(
    x: Tensor,
    hidden?: Tensor | undefined,
    options: SequenceOptions = {},
  ): [Tensor, Tensor] {
    const { output, finals } = this.runLayers(x, [hidden], [this.hiddenSize], options);
    return [output, finals[0]!];
  }
}

/**
 * Elman layers, like `torch.nn.RNN`.
 *
 * Shapes: input `[T, B, inputSize]` (or `[T, inputSize]`), output `[T, B, directions · hiddenSize]`,
 * states `[numLayers · directions, B, hiddenSize]`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { RNN } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const [output, state] = new RNN(4, 3).forward(zeros([5, 2, 4]));
 * assertEquals([output.shape, state.shape], [[5, 2, 3], [1, 2, 3]]);
 * ```
 */
export class RNN extends OneStateRecurrentBase {
  readonly #nonlinearity: "tanh" | "relu";

  /**
   * Makes the module.
   *
   * @param inputSize Size of the last axis of the input.
   * @param hiddenSize Size of the state.
   * @param options Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    super("RNN", 1, inputSize, hiddenSize, options);
    this.#nonlinearity = options.nonlinearity ?? "tanh";
    checkChoice("RNN", "nonlinearity", this.#nonlinearity, ["tanh", "relu"]);
  }

  /** One direction of one layer: all its states. */
  protected override run(
    x: Tensor,
    [h0]: readonly Tensor[],
    w: RecurrentWeights,
  ): readonly Tensor[] {
    const projected = linear(x, w.ih, sumOf(w.bih, w.bhh));
    return [rnnSequence(projected, h0!, w.hh, this.#nonlinearity)];
  }
}

/**
 * Gated recurrent units (Cho et al. 2014), like `torch.nn.GRU`.
 *
 * Shapes: input `[T, B, inputSize]` (or `[T, inputSize]`), output `[T, B, directions · hiddenSize]`,
 * states `[numLayers · directions, B, hiddenSize]`.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { GRU } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const [output, state] = new GRU(4, 3, { batchFirst: true }).forward(zeros([2, 5, 4]));
 * assertEquals([output.shape, state.shape], [[2, 5, 3], [1, 2, 3]]);
 * ```
 */
export class GRU extends OneStateRecurrentBase {
  /**
   * Makes the module.
   *
   * @param inputSize Size of the last axis of the input.
   * @param hiddenSize Size of the state.
   * @param options Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super("GRU", 3, inputSize, hiddenSize, options);
  }

  /** One direction of one layer: all its states. */
  protected override run(
    x: Tensor,
    [h0]: readonly Tensor[],
    w: RecurrentWeights,
  ): readonly Tensor[] {
    const { dtype, device } = x;
    const bias = w.bhh ?? zeros([3 * this.hiddenSize], { dtype, device });
    return [gruSequence(linear(x, w.ih, w.bih), h0!, w.hh, bias)];
  }
}

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997), like `torch.nn.LSTM`.
 *
 * Shapes: input `[T, B, inputSize]` (or `[T, inputSize]`), output `[T, B, directions · P]`, states
 * `[numLayers · directions, B, P]` and `[numLayers · directions, B, hiddenSize]`, with P the
 * `projSize`, or `hiddenSize` without one.
 *
 * @example
 * ```ts
 * import { zeros } from "@tensaurus/core";
 * import { LSTM } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const [output, [h, c]] = new LSTM(4, 3, { bidirectional: true }).forward(zeros([5, 2, 4]));
 * assertEquals([output.shape, h.shape, c.shape], [[5, 2, 6], [2, 2, 3], [2, 2, 3]]);
 * ```
 */
export class LSTM extends RecurrentBase {
  /**
   * Makes the module.
   *
   * @param inputSize Size of the last axis of the input.
   * @param hiddenSize Size of the state.
   * @param options Settings.
   * @throws {RangeError} If a setting is not allowed.
   */
  constructor(inputSize: number, hiddenSize: number, options: LSTMOptions = {}) {
    super("LSTM", 4, inputSize, hiddenSize, options);
  }

  /** One direction of one layer: all its states. */
  protected override run(
    x: Tensor,
    [h0, c0]: readonly Tensor[],
    w: RecurrentWeights,
  ): readonly Tensor[] {
    const projected = linear(x, w.ih, sumOf(w.bih, w.bhh));
    return lstmSequence(projected, h0!, c0!, w.hh, w.hr);
  }

  /**
   * Outputs of the last layer and final states of all.
   *
   * @param x The sequences.
   * @param state Initial hidden and cell states; zeros by default.
   * @param options Lengths of the sequences.
   * @throws {ShapeError} If shapes do not fit.
   */
  forward(
    x: Tensor,
    state?: readonly [Tensor, Tensor] | undefined,
    options: SequenceOptions = {},
  ): [Tensor, [Tensor, Tensor]] {
    const sizes = [this.projSize || this.hiddenSize, this.hiddenSize];
    if (state && !(Array.isArray(state) && state.length === 2)) {
      throw rangeError("LSTM", "state is no pair [hidden state, cell state]");
    }
    const initial = [state?.[0], state?.[1]];
    const { output, finals } = this.runLayers(x, initial, sizes, options);
    return [output, [finals[0]!, finals[1]!]];
  }
}
