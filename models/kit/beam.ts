/**
 * Beam search: the likeliest sequences instead of the likeliest next tokens.
 *
 * @module
 */
import {
  arange,
  compile,
  noGrad,
  oneHot,
  type Tensor,
  tensor,
  topk,
  where,
  zeros,
} from "@tensaurus/core";
import type { Decoder } from "./generate.ts";

/** A decoder whose rows can be exchanged. */
export interface BeamDecoder extends Decoder {
  /** Row `i` becomes what row `rows[i]` was. */
  reorder(rows: Tensor): void;
}

/** Options of {@linkcode BeamSearch}. */
export interface BeamOptions {
  /** Texts that are searched side by side; the decoder has `batch × beams` rows. */
  batch: number;
  /** Sequences that are kept of each. */
  beams: number;
  /** Token that every sequence starts with. */
  start: number;
  /** Token that ends a sequence. */
  stop: number;
  /** Most tokens of a sequence. */
  length: number;
  /** Scores are divided by the length to this power (Wu et al. 2016). @default {0.6} */
  lengthPenalty?: number | undefined;
}

/** Small enough that nothing comes after it, and yet a number that can be added to. */
const NEVER = -1e30;

/** A beam search on the device: all steps run without waiting, then the best sequences are read. */
export class BeamSearch {
  readonly #decoder: BeamDecoder;
  readonly #options: BeamOptions;
  readonly #last: Tensor;
  readonly #scores: Tensor;
  readonly #history: Tensor;
  readonly #position: Tensor;
  readonly #step: ReturnType<typeof compile<[], void>>;

  /**
   * @param decoder A model with `batch × beams` rows, in evaluation mode.
   * @param options Sizes and tokens.
   */
  constructor(decoder: BeamDecoder, options: BeamOptions) {
    const { batch, beams, length } = options;
    const rows = batch * beams;
    this.#decoder = decoder;
    this.#options = options;
    this.#last = zeros([rows, 1], { dtype: "int32" });
    this.#scores = zeros([batch, beams]);
    this.#history = zeros([rows, length], { dtype: "int32" });
    this.#position = zeros([1], { dtype: "int32" });
    this.#step = compile(() => noGrad(() => this.#advance()), { name: "beamSearch" });
  }

  /** One more token of every sequence: the best `beams` continuations of all of a text's sequences. */
  #advance(): void {
    const { batch, beams, stop, length } = this.#options;
    const logits = this.#decoder.next(this.#last); // [B·K, V]
    const size = logits.shape[1]!;
    const ended = this.#last.eq(stop); // [B·K, 1]
    const onlyStop = oneHot(tensor([stop], { dtype: "int32" }), size, { dtype: "float32" }) // [1, V]
      .sub(1).mul(-NEVER);
    const next = where(ended, onlyStop, logits.logSoftmax(-1)); // an ended one stays as it is
    const all = next.reshape([batch, beams, size]).add(this.#scores.unsqueeze(-1)); // [B, K, V]
    const { values, indices } = topk(all.reshape([batch, beams * size]), beams); // [B, K]
    const first = arange(0, batch, 1, { dtype: "int32" }).mul(beams).unsqueeze(1); // [B, 1]
    const parents = indices.floorDivide(size).add(first).reshape([-1]); // [B·K]
    const tokens = indices.remainder(size).reshape([-1, 1]); // [B·K, 1]
    const here = arange(0, length, 1, { dtype: "int32" }).eq(this.#position); // [length]
    this.#history.copy_(where(here, tokens, this.#history.indexSelect(0, parents)));
    this.#decoder.reorder(parents);
    this.#scores.copy_(values);
    this.#last.copy_(tokens);
    this.#position.add_(1);
  }

  /**
   * The best sequence for each text that the decoder was given.
   *
   * @returns Tokens of each, without start and stop.
   */
  async search(): Promise<number[][]> {
    const { batch, beams, start, stop, length, lengthPenalty = 0.6 } = this.#options;
    this.#decoder.reset();
    this.#position.zero_();
    this.#last.copy_(this.#last.mul(0).add(start));
    // At first all sequences of a text are the same; one of them is enough.
    const one = Float32Array.from({ length: batch * beams }, (_, i) => i % beams ? NEVER : 0);
    this.#scores.copy_(tensor(one, { shape: [batch, beams] }));
    for (let i = 0; i < length; i++) this.#step();
    const history = await this.#history.data(), scores = await this.#scores.data();
    return Array.from({ length: batch }, (_, b) => {
      const found = Array.from({ length: beams }, (_, k) => {
        const row = b * beams + k;
        const tokens = Array.from(history.subarray(row * length, (row + 1) * length));
        const end = tokens.indexOf(stop);
        const kept = end < 0 ? tokens : tokens.slice(0, end);
        return { kept, score: scores[row]! / (kept.length + 1) ** lengthPenalty };
      });
      return found.reduce((best, other) => other.score > best.score ? other : best).kept;
    });
  }

  /** Gives back the memory of the plan. */
  dispose(): void {
    this.#step.dispose();
  }
}
