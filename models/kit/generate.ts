/**
 * Token after token from a model: sampling on the device, and a loop that reads tokens back in blocks,
 * so that no step waits for the host.
 *
 * @module
 */
import {
  compile,
  cumsum,
  noGrad,
  rand,
  sort,
  type Tensor,
  tensor,
  topk,
  where,
  zeros,
} from "@tensaurus/core";
import { TextStream, type Tokenizer } from "@tensaurus/core/data";

/** Tokens that are read back at once: often enough to look alive, seldom enough not to wait. */
const BLOCK = 32;

/** Prompts go through the model in pieces of this many tokens, the rest one by one. */
const PIECE = 32;

/** A model that predicts the next token and remembers those that it was given. */
export interface Decoder {
  /** Most tokens that it remembers; `Infinity` for a recurrent model. */
  readonly context: number;
  /**
   * Takes in tokens `[B, T]` that follow those of earlier calls.
   *
   * @returns Logits `[B, V]` of the token after them.
   */
  next(tokens: Tensor): Tensor;
  /** Forgets all tokens. */
  reset(): void;
}

/** How a token is drawn from logits. */
export interface SampleOptions {
  /** Divides the logits: below 1 bolder, above 1 wilder, 0 takes the likeliest token. @default {1} */
  temperature?: number | undefined;
  /** Draw from this many of the likeliest tokens; 0 from all. @default {0} */
  topK?: number | undefined;
  /** Draw from the likeliest tokens that together have this probability. @default {1} */
  topP?: number | undefined;
}

/**
 * Draws a token for each row, on the device (the Gumbel trick: the largest of logit plus noise).
 *
 * @param logits Logits `[B, V]`.
 * @param options Temperature, top-k (Fan et al. 2018), top-p (Holtzman et al. 2020).
 * @returns Tokens `[B]`, int32.
 * @throws {RangeError} If an option is out of range.
 */
export function sampleTokens(logits: Tensor, options: SampleOptions = {}): Tensor {
  const { temperature = 1, topK = 0, topP = 1 } = options;
  checkOption("temperature", temperature, temperature >= 0, "at least 0");
  checkOption("topK", topK, Number.isInteger(topK) && topK >= 0, "a whole number of at least 0");
  checkOption("topP", topP, topP > 0 && topP <= 1, "above 0 and at most 1");
  if (temperature === 0) return logits.argmax(-1); // [B]
  let scores = logits.div(temperature); // [B, V]
  if (topK > 0 && topK < logits.shape[1]!) {
    const least = topk(scores, topK).values.slice(1, topK - 1, topK); // [B, 1]
    scores = scores.maskedFill(scores.lt(least), -Infinity);
  }
  if (topP < 1) {
    const sorted = sort(scores, -1, { descending: true }).values; // [B, V]
    const p = sorted.softmax(-1);
    const inside = cumsum(p, -1).sub(p).lt(topP); // what stands before sums to less
    const least = where(inside, sorted, Infinity).amin(-1, { keepdim: true }); // [B, 1]
    scores = scores.maskedFill(scores.lt(least), -Infinity);
  }
  const uniform = rand(scores.shape, { device: scores.device });
  const gumbel = uniform.add(2 ** -25).log().neg().log().neg();
  return scores.add(gumbel).argmax(-1);
}

function checkOption(name: string, value: number, holds: boolean, expected: string): void {
  if (!holds) throw new RangeError(`sampleTokens: ${name} is ${value}, expected ${expected}`);
}

/** Options of {@linkcode TokenGenerator}. */
export interface TokenGeneratorOptions extends SampleOptions {
  /** Rows that are written side by side. @default {1} */
  batch?: number | undefined;
  /** Tokens that the tokenizer knows, where the model has more; only they are drawn. */
  vocabSize?: number | undefined;
}

/** Options of {@linkcode TokenGenerator.stream}. */
export interface StreamOptions {
  /** Tokens to write. */
  length: number;
  /** Tokens that end a row, each of them; they are not part of it. */
  stop?: readonly number[] | undefined;
}

/**
 * Writes tokens with a model. Each step feeds the next on the device; the host reads them in blocks.
 * Where the model's memory is full, it starts again from the newest half of it.
 *
 * @example The likeliest token of a model that always counts up
 * ```ts
 * import { oneHot } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const counting: Decoder = {
 *   context: Infinity,
 *   next: (tokens) => oneHot(tokens.slice(1, -1).reshape([-1]).add(1).remainder(10), 10).to("float32"),
 *   reset: () => {},
 * };
 * const generator = new TokenGenerator(counting, { temperature: 0 });
 * assertEquals(await generator.generate([7], { length: 4 }), [8, 9, 0, 1]);
 * ```
 */
export class TokenGenerator {
  readonly #decoder: Decoder;
  readonly #batch: number;
  readonly #last: Tensor;
  readonly #block: Tensor;
  readonly #slot: Tensor;
  readonly #step: ReturnType<typeof compile<[], void>>;
  readonly #read: ReturnType<typeof compile<[Tensor], void>>;

  /**
   * @param decoder The model, in evaluation mode.
   * @param options Rows, temperature, top-k, top-p.
   */
  constructor(decoder: Decoder, options: TokenGeneratorOptions = {}) {
    const { batch = 1, vocabSize, ...sampling } = options;
    this.#decoder = decoder;
    this.#batch = batch;
    this.#last = zeros([batch, 1], { dtype: "int32" });
    this.#block = zeros([batch, BLOCK], { dtype: "int32" });
    this.#slot = zeros([1], { dtype: "int32" });
    this.#step = compile((): void =>
      noGrad(() => {
        const logits = decoder.next(this.#last).slice(1, 0, vocabSize); // [B, V]
        const tokens = sampleTokens(logits, sampling).unsqueeze(1); // [B, 1]
        this.#last.copy_(tokens);
        this.#block.indexCopy_(1, this.#slot, tokens);
        this.#slot.add_(1);
      }), { name: "generate" });
    this.#read = compile((tokens: Tensor): void => {
      noGrad(() => decoder.next(tokens));
    }, { name: "readPrompt" });
  }

  /**
   * Tokens after prompts, block by block as they are read back.
   *
   * @param prompts A prompt for each row, all of one length.
   * @param options How many tokens, and where to stop.
   * @returns For each block the new tokens of each row.
   * @throws {RangeError} If a prompt is empty or longer than the model's context.
   */
  async *stream(
    prompts: readonly ArrayLike<number>[],
    options: StreamOptions,
  ): AsyncGenerator<number[][]> {
    this.#checkPrompts(prompts, options.length);
    const { stop = [] } = options;
    const { context } = this.#decoder;
    const rows = prompts.map((prompt) => Array.from(prompt));
    const ended = rows.map(() => false);
    let filled = this.#begin(rows);
    let left = options.length;
    while (left > 0 && !ended.every((end) => end)) {
      if (filled >= context) filled = this.#begin(rows.map((row) => row.slice(-half(context))));
      const count = Math.min(BLOCK, left, context - filled);
      this.#slot.zero_();
      for (let i = 0; i < count; i++) this.#step();
      const read = await this.#block.data();
      yield rows.map((row, b) => {
        const tokens = Array.from(read.subarray(b * BLOCK, b * BLOCK + count));
        row.push(...tokens);
        if (ended[b]) return [];
        const end = tokens.findIndex((token) => stop.includes(token));
        ended[b] = end >= 0;
        return end >= 0 ? tokens.slice(0, end) : tokens;
      });
      filled += count;
      left -= count;
    }
  }

  /**
   * All tokens after one prompt.
   *
   * @param prompt The prompt.
   * @param options How many tokens, and where to stop.
   * @returns The new tokens.
   */
  async generate(prompt: ArrayLike<number>, options: StreamOptions): Promise<number[]> {
    const tokens: number[] = [];
    for await (const [block] of this.stream([prompt], options)) tokens.push(...block!);
    return tokens;
  }

  /** Gives back the memory of the plans. */
  dispose(): void {
    this.#step.dispose();
    this.#read.dispose();
  }

  /** Starts again with rows of one length; all but their last token go into the model's memory. */
  #begin(rows: readonly (readonly number[])[]): number {
    this.#decoder.reset();
    const filled = rows[0]!.length - 1;
    for (let start = 0; start < filled;) {
      const count = filled - start >= PIECE ? PIECE : 1;
      const piece = rows.flatMap((row) => row.slice(start, start + count));
      this.#read(tensor(Int32Array.from(piece), { shape: [this.#batch, count] }));
      start += count;
    }
    const last = Int32Array.from(rows, (row) => row.at(-1)!);
    this.#last.copy_(tensor(last, { shape: [this.#batch, 1] }));
    return filled;
  }

  #checkPrompts(prompts: readonly ArrayLike<number>[], length: number): void {
    const { context } = this.#decoder;
    if (!Number.isInteger(length) || length < 1) {
      throw new RangeError(`generate: length is ${length}, expected a whole number of at least 1`);
    }
    if (prompts.length !== this.#batch) {
      throw new RangeError(`generate: ${prompts.length} prompts for ${this.#batch} rows`);
    }
    const size = prompts[0]!.length;
    const other = prompts.find((prompt) => prompt.length !== size);
    if (other) throw new RangeError(`generate: prompts have ${size} and ${other.length} tokens`);
    if (size === 0) throw new RangeError("generate: prompt is empty (give at least one token)");
    if (size > context) {
      throw new RangeError(
        `generate: prompt has ${size} tokens, the model's context is ${context}`,
      );
    }
  }
}

function half(context: number): number {
  return Math.max(1, Math.floor(context / 2));
}

/** What {@linkcode writeText} reports. */
export interface Written {
  /** Prompt and what follows it. */
  text: string;
  /** Tokens per second, the first block (which compiles) left out where there is another. */
  rate: number;
}

/**
 * Writes text after a prompt, shown as it is read back.
 *
 * @param generator The model.
 * @param tokenizer Its tokenizer.
 * @param prompt Text to go on from.
 * @param options Tokens, where to stop, and where the text is shown.
 * @returns The text, and how fast it came.
 */
export async function writeText(
  generator: TokenGenerator,
  tokenizer: Tokenizer,
  prompt: string,
  options: StreamOptions & { show?: ((text: string) => void) | undefined },
): Promise<Written> {
  const { show = () => {} } = options;
  const stream = new TextStream(tokenizer);
  let text = prompt;
  let count = 0, timed = 0;
  let began = performance.now();
  function add(piece: string): void {
    text += piece;
    show(piece);
  }
  show(prompt);
  for await (const [tokens] of generator.stream([tokenizer.encode(prompt)], options)) {
    add(stream.push(...tokens!));
    if (count === 0) began = performance.now();
    else timed += tokens!.length;
    count += tokens!.length;
  }
  add(stream.end());
  return { text, rate: timed / (performance.now() - began) * 1000 };
}
