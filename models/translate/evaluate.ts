/**
 * Translating with the transformer of `models/translate.ts`: token by token or by beams, the share that
 * is right, and a picture of what it looks at.
 *
 * @module
 */
import { compile, noGrad, type Tensor, tensor, zeros } from "@tensaurus/core";
import { bleu } from "@tensaurus/core/data";
import { type BeamDecoder, BeamSearch } from "../kit/beam.ts";
import { TokenGenerator } from "../kit/generate.ts";
import { KeyValueCache } from "../kit/key_value_cache.ts";
import { heatmap } from "../kit/heatmap.ts";
import { encodePng } from "../kit/picture.ts";
import type { RunFolder } from "../kit/run_folder.ts";
import type { Seen, Transformer } from "../translate.ts";
import * as spoken from "./spoken.ts";

const { ROW } = spoken;

/** A transformer that has read sources and writes their targets token by token. */
export class Translator implements BeamDecoder {
  /** A target fills a row. */
  readonly context: number = ROW;
  /** Takes up sources `[B, S]`; each counts for as many rows as there are beams. */
  readonly read: (source: Tensor) => void;
  readonly #model: Transformer;
  readonly #seen: Seen & { cache: KeyValueCache };

  /**
   * @param model The model, in evaluation mode.
   * @param batch Sources.
   * @param beams Rows for each of them.
   */
  constructor(model: Transformer, batch: number, beams = 1) {
    const { layers, heads, width } = model.options;
    const size = width / heads, rows = batch * beams;
    const make = (): Tensor => zeros([rows, heads, ROW, size]);
    this.#model = model;
    this.#seen = {
      memory: Array.from({ length: layers }, () => [make(), make()] as const),
      mask: zeros([rows, 1, 1, ROW], { dtype: "bool" }),
      cache: new KeyValueCache({ layers, batch: rows, heads, length: ROW, size }),
    };
    this.read = compile((source: Tensor): void => {
      noGrad(() => this.#keep(model.read(source.repeatInterleave(beams, 0))));
    }, { name: "read" });
  }

  #keep({ memory, mask }: Seen): void {
    this.#seen.mask.copy_(mask);
    for (const [i, [keys, values]] of this.#seen.memory.entries()) {
      keys.copy_(memory[i]![0]);
      values.copy_(memory[i]![1]);
    }
  }

  /** Logits `[B, V]` of the token after `tokens` `[B, T]`. */
  next(tokens: Tensor): Tensor {
    return this.#model.write(tokens, this.#seen).select(1, -1); // [B, V]
  }

  /** Begins the targets again; the sources stay. */
  reset(): void {
    this.#seen.cache.reset();
  }

  /** Row `i` becomes what row `rows[i]` was. */
  reorder(rows: Tensor): void {
    this.#seen.cache.reorder(rows);
  }
}

/** Sources that are translated side by side. */
const EVAL_BATCH = 50;

/** Gives a function that translates many sources. */
export function evaluator(
  model: Transformer,
  beams: number,
): (pairs: readonly spoken.Pair[]) => Promise<string[]> {
  const tokenizer = spoken.spokenTokenizer();
  const translator = new Translator(model, EVAL_BATCH, beams);
  const generator = new TokenGenerator(translator, { batch: EVAL_BATCH, temperature: 0 });
  const search = new BeamSearch(translator, {
    batch: EVAL_BATCH,
    beams,
    start: spoken.START,
    stop: spoken.END,
    length: ROW,
  });
  const starts = Array.from({ length: EVAL_BATCH }, () => [spoken.START]);
  async function translate(): Promise<number[][]> {
    if (beams > 1) return await search.search();
    const rows: number[][] = starts.map(() => []);
    for await (const blocks of generator.stream(starts, { length: ROW, stop: [spoken.END] })) {
      blocks.forEach((tokens, i) => rows[i]!.push(...tokens));
    }
    return rows;
  }
  return async (pairs) => {
    model.eval();
    const answers: string[] = [];
    for (let start = 0; start < pairs.length; start += EVAL_BATCH) {
      const batch = pairs.slice(start, start + EVAL_BATCH);
      const ids = batch.flatMap((pair) => spoken.encodePair(tokenizer, pair).source);
      const padded = Int32Array.from({ length: EVAL_BATCH * ROW }, (_, i) => ids[i] ?? ids[0]!);
      translator.read(tensor(padded, { shape: [EVAL_BATCH, ROW] }));
      const rows = (await translate()).slice(0, batch.length);
      answers.push(...rows.map((row) => spoken.decodeTarget(tokenizer, row)));
    }
    model.train();
    return answers;
  };
}

/** Share of the answers that equal the targets. */
export function right(pairs: readonly spoken.Pair[], answers: readonly string[]): number {
  return pairs.filter(({ target }, i) => answers[i] === target).length / pairs.length;
}

/** A share in percent. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Prints the share that is right by language, BLEU of the words, and the first mistakes. */
export function printReport(pairs: readonly spoken.Pair[], answers: readonly string[]): void {
  const at = pairs.map((pair, i) => ({ ...pair, answer: answers[i]! }));
  for (const into of ["normal", "english", "polish"] as const) {
    const part = at.filter((pair) => pair.into === into);
    if (part.length === 0) continue;
    const share = right(part, part.map(({ answer }) => answer));
    const tokens = (text: string) => text.split(into === "normal" ? "" : /[ -]/);
    const candidates = part.map(({ answer }) => tokens(answer));
    const { score } = bleu(candidates, part.map(({ target }) => [tokens(target)]));
    console.log(
      `into ${into.padEnd(8)}${percent(share)} of ${part.length}  BLEU ${score.toFixed(4)}`,
    );
  }
  for (const { source, target, answer } of at.filter((p) => p.answer !== p.target).slice(0, 5)) {
    console.log(`  "${source}" gives "${answer}", expected "${target}"`);
  }
}

/** What the last layer looks at while it writes a date, as a picture. */
export async function drawAttention(model: Transformer, folder: RunFolder): Promise<void> {
  const pair: spoken.Pair = {
    into: "normal",
    source: "dwadzieścia trzy kwietnia 2024",
    target: "2024-04-23",
  };
  const tokenizer = spoken.spokenTokenizer();
  const { source, target } = spoken.encodePair(tokenizer, pair);
  const [columns, rows] = [source, target].map((ids) =>
    ids.filter((id) => id !== spoken.PAD).map((id) => tokenizer.words[id]!)
  ) as [string[], string[]];
  const weights: Tensor[] = [];
  model.eval();
  noGrad(() => {
    const seen = model.read(tensor(Int32Array.from(source), { shape: [1, ROW] }));
    const shown = tensor(Int32Array.from(target.slice(0, ROW)), { shape: [1, ROW] });
    model.write(shown, { ...seen, weights });
  });
  model.train();
  const values = await weights.at(-1)!.mean(1).data(); // [1, T, S], the mean of the heads
  const matrix = rows.slice(1).map((_, i) => values.subarray(i * ROW, (i + 1) * ROW));
  await folder.write("attention.png", encodePng(heatmap(matrix, rows.slice(1), columns)));
}
