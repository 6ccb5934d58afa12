/** What the recurrent layers have in common. */
import { cat, dropout, ShapeError, stack, type Tensor, zeros } from "../ops/mod.ts";
import { checkSameDtype, rangeError } from "../ops/check.ts";
import { checkCount, checkProbability } from "./_check.ts";
import { fanBound, uniformParameter } from "./_factory.ts";
import { lengthsOf, maskAfter, reverseWithin, stateAt } from "./_lengths.ts";
import { type FactoryOptions, Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** Options of {@linkcode GRU}; {@linkcode RNN} and {@linkcode LSTM} have more. */
export interface RecurrentOptions extends FactoryOptions {
  /** Number of layers, one on the other. @default 1 */
  numLayers?: number | undefined;
  /** Add learned offsets. @default true */
  bias?: boolean | undefined;
  /** Input and output are `[B, T, …]` in place of `[T, B, …]`. @default false */
  batchFirst?: boolean | undefined;
  /** Probability of a zero between layers while training. @default 0 */
  dropout?: number | undefined;
  /** Read the sequence in both directions. @default false */
  bidirectional?: boolean | undefined;
}

/** Options of {@linkcode LSTM}. */
export interface LSTMOptions extends RecurrentOptions {
  /** Size to which the hidden state is projected; 0 is none. @default 0 */
  projSize?: number | undefined;
}

/** Options of `forward` of recurrent layers. */
export interface SequenceOptions {
  /**
   * Length of each sequence of the batch, in place of PyTorch's packed sequences: outputs after the
   * end are zero, and final states are those at the end.
   */
  lengths?: Tensor | readonly number[] | undefined;
}

/** Parameters of one direction of one layer. */
export interface RecurrentWeights {
  /** Weight of the input. */
  readonly ih: Parameter;
  /** Weight of the state. */
  readonly hh: Parameter;
  /** Offset of the input's part. */
  readonly bih: Parameter | undefined;
  /** Offset of the state's part. */
  readonly bhh: Parameter | undefined;
  /** Projection of the hidden state. */
  readonly hr: Parameter | undefined;
}

/** What the recurrent layers have in common: parameters, layers, directions, lengths. */
export abstract class RecurrentBase extends Module {
  /** Size of the last axis of the input. */
  readonly inputSize: number;
  /** Size of the state. */
  readonly hiddenSize: number;
  /** Number of layers. */
  readonly numLayers: number;
  /** Whether the sequence is read in both directions. */
  readonly bidirectional: boolean;
  /** Whether the batch is the first axis. */
  readonly batchFirst: boolean;
  /** Size to which the hidden state is projected. */
  readonly projSize: number;
  readonly #name: string;
  readonly #dropout: number;

  /**
   * Makes the module.
   *
   * @param name Name in messages.
   * @param gates Gates of a unit.
   * @param inputSize Size of the last axis of the input.
   * @param hiddenSize Size of the state.
   * @param options Settings.
   */
  constructor(
    name: string,
    gates: number,
    inputSize: number,
    hiddenSize: number,
    options: LSTMOptions,
  ) {
    super();
    const { numLayers = 1, bias = true, projSize = 0 } = options;
    checkCount(name, "inputSize", inputSize);
    checkCount(name, "hiddenSize", hiddenSize);
    checkCount(name, "numLayers", numLayers);
    checkProbability(name, "dropout", options.dropout ?? 0);
    if (projSize < 0 || projSize >= hiddenSize) {
      throw rangeError(name, `projSize ${projSize} is not below hiddenSize ${hiddenSize}`);
    }
    this.#name = name;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.projSize = projSize;
    this.bidirectional = options.bidirectional ?? false;
    this.batchFirst = options.batchFirst ?? false;
    this.#dropout = options.dropout ?? 0;
    const bound = fanBound(hiddenSize), outSize = projSize || hiddenSize;
    for (const [suffix, layer] of this.#directions()) {
      const size = layer === 0 ? inputSize : outSize * (this.bidirectional ? 2 : 1);
      const make = (field: string, ...shape: number[]) =>
        this.registerParameter(`${field}_${suffix}`, uniformParameter(shape, bound, options));
      make("weight_ih", gates * hiddenSize, size);
      make("weight_hh", gates * hiddenSize, outSize);
      if (bias) make("bias_ih", gates * hiddenSize);
      if (bias) make("bias_hh", gates * hiddenSize);
      if (projSize) make("weight_hr", projSize, hiddenSize);
    }
  }

  /** Suffix of the parameters' names, layer and whether it runs backwards, in the order of states. */
  #directions(): [string, number, boolean][] {
    return Array.from({ length: this.numLayers }, (_, layer) => layer).flatMap(
      (layer): [string, number, boolean][] =>
        this.bidirectional
          ? [[`l${layer}`, layer, false], [`l${layer}_reverse`, layer, true]]
          : [[`l${layer}`, layer, false]],
    );
  }

  #weights(suffix: string): RecurrentWeights {
    const get = (field: string) =>
      (this as unknown as Record<string, Parameter | undefined>)[`${field}_${suffix}`];
    return {
      ih: get("weight_ih")!,
      hh: get("weight_hh")!,
      bih: get("bias_ih"),
      bhh: get("bias_hh"),
      hr: get("weight_hr"),
    };
  }

  /** One direction of one layer: all its states `[T + 1, B, ·]` from initial ones `[B, ·]`. */
  protected abstract run(
    x: Tensor,
    initial: readonly Tensor[],
    weights: RecurrentWeights,
  ): readonly Tensor[];

  /** Runs all layers; initial and final states are `[layers · directions, B, ·]`. */
  protected runLayers(
    input: Tensor,
    initial: readonly (Tensor | undefined)[],
    stateSizes: readonly number[],
    options: SequenceOptions,
  ): { output: Tensor; finals: Tensor[] } {
    const { x, single } = this.#sequence(input);
    const [steps, batch] = x.shape as [number, number];
    const lengths = lengthsOf(this.#name, options.lengths, steps, batch, x.device);
    const count = this.numLayers * (this.bidirectional ? 2 : 1);
    const starts = initial.map((given, i) =>
      this.#initial(given, [count, batch, stateSizes[i]!], single, x)
    );
    const finals: Tensor[][] = starts.map(() => []);
    let current = x;
    let outputs: Tensor[] = [];
    for (const [at, [suffix, layer, backwards]] of this.#directions().entries()) {
      if (!backwards && layer > 0 && this.#dropout > 0) {
        current = dropout(current, { p: this.#dropout, training: this.training });
      }
      const source = backwards ? reverseWithin(current, lengths) : current;
      const first = starts.map((start) => start.select(0, at));
      const states = this.run(source, first, this.#weights(suffix));
      for (const [i, all] of states.entries()) finals[i]!.push(stateAt(all, lengths));
      const forward = maskAfter(states[0]!.slice(0, 1, steps + 1), lengths);
      outputs.push(backwards ? reverseWithin(forward, lengths) : forward);
      if (this.bidirectional && !backwards) continue;
      current = outputs.length === 1 ? outputs[0]! : cat(outputs, 2);
      outputs = [];
    }
    const output = this.batchFirst && !single ? current.transpose(0, 1) : current;
    const stacked = finals.map((list) => stack(list, 0));
    return single
      ? { output: output.squeeze(1), finals: stacked.map((s) => s.squeeze(1)) }
      : { output, finals: stacked };
  }

  #sequence(input: Tensor): { x: Tensor; single: boolean } {
    const single = input.ndim === 2;
    if ((input.ndim !== 3 && !single) || input.shape.at(-1) !== this.inputSize) {
      const problem = `input needs 2 or 3 dimensions, the last of size ${this.inputSize}`;
      throw new ShapeError(this.#name, problem, { input: input.shape });
    }
    const x = single ? input.unsqueeze(1) : this.batchFirst ? input.transpose(0, 1) : input;
    if (x.shape[0] === 0) {
      throw new ShapeError(this.#name, "the sequence is empty", { input: input.shape });
    }
    return { x, single };
  }

  #initial(
    given: Tensor | undefined,
    shape: readonly number[],
    single: boolean,
    x: Tensor,
  ): Tensor {
    if (!given) return zeros(shape, { dtype: x.dtype, device: x.device });
    checkSameDtype(this.#name, x, given);
    const start = single ? given.unsqueeze(1) : given;
    if (start.shape.join() !== shape.join()) {
      const wanted = single ? [shape[0]!, shape[2]!] : shape;
      throw new ShapeError(this.#name, "the initial state does not fit", {
        state: given.shape,
        expected: wanted,
      });
    }
    return start;
  }

  /** Settings shown by `toString()`. */
  override extraRepr(): string {
    return `${this.inputSize}, ${this.hiddenSize}`;
  }
}
