import { Heap } from "./_heap.ts";

const CACHED_WORDS = 1 << 16;
const NO_TOKEN = -1;

interface Candidate {
  rank: number;
  position: number;
  token: number;
}

/** What {@linkcode BpeModel} is made of. */
export interface BpeModelInit {
  /** Ids of all tokens. */
  vocab: ReadonlyMap<string, number>;
  /** Pairs of tokens, those that are joined first in front. */
  merges: readonly (readonly [string, string])[];
  /** Take a word that is a token without merging. */
  ignoreMerges: boolean;
  /** Token of characters that are none. */
  unknown: number | undefined;
  /** Join unknown characters that follow each other. */
  fuseUnknown: boolean;
  /** Spell unknown characters as bytes `<0x00>` to `<0xFF>`. */
  byteFallback: boolean;
}

/** Merges the characters of a word by rank: byte-pair encoding (Sennrich et al. 2016). */
export class BpeModel {
  readonly #init: BpeModelInit;
  readonly #ranks: Map<number, number> = new Map();
  readonly #merged: Int32Array;
  readonly #stride: number;
  readonly #cache: Map<string, readonly number[]> = new Map();

  constructor(init: BpeModelInit) {
    this.#init = init;
    this.#merged = new Int32Array(init.merges.length);
    this.#stride = 1 + [...init.vocab.values()].reduce((most, id) => Math.max(most, id), 0);
    init.merges.forEach(([left, right], rank) => {
      const { vocab } = init;
      const key = vocab.get(left)! * this.#stride + vocab.get(right)!;
      // A pair that is listed twice counts with its last rank, as in Hugging Face.
      this.#ranks.set(key, rank);
      this.#merged[rank] = vocab.get(left + right)!;
    });
  }

  /** Ids of one word. */
  encode(word: string): readonly number[] {
    const cached = this.#cache.get(word);
    if (cached !== undefined) return cached;
    const whole = this.#init.ignoreMerges ? this.#init.vocab.get(word) : undefined;
    const ids = whole === undefined ? this.#merge(this.#characters(word)) : [whole];
    if (this.#cache.size >= CACHED_WORDS) this.#cache.clear();
    this.#cache.set(word, ids);
    return ids;
  }

  #characters(word: string): number[] {
    const { vocab, unknown, fuseUnknown } = this.#init;
    const ids: number[] = [];
    let fusing = false;
    for (const character of word) {
      const id = vocab.get(character);
      const bytes = id === undefined ? this.#bytes(character) : undefined;
      if (id !== undefined) ids.push(id);
      else if (bytes !== undefined) ids.push(...bytes);
      else if (unknown !== undefined && !(fusing && fuseUnknown)) ids.push(unknown);
      fusing = id === undefined && bytes === undefined;
    }
    return ids;
  }

  #bytes(character: string): number[] | undefined {
    if (!this.#init.byteFallback) return undefined;
    const ids: number[] = [];
    for (const byte of new TextEncoder().encode(character)) {
      const id = this.#init.vocab.get(byteToken(byte));
      if (id === undefined) return undefined;
      ids.push(id);
    }
    return ids;
  }

  /** Joins the pair of lowest rank, leftmost first, until no pair has a rank. */
  #merge(ids: number[]): number[] {
    const next = Int32Array.from(ids, (_, i) => i + 1);
    const previous = Int32Array.from(ids, (_, i) => i - 1);
    const heap = new Heap<Candidate>((a, b) =>
      a.rank < b.rank || (a.rank === b.rank && a.position < b.position)
    );
    const offer = (position: number): void => {
      if (position < 0 || next[position]! >= ids.length) return;
      const rank = this.#ranks.get(ids[position]! * this.#stride + ids[next[position]!]!);
      if (rank !== undefined) heap.push({ rank, position, token: this.#merged[rank]! });
    };
    for (let i = 0; i < ids.length - 1; i++) offer(i);
    for (let best = heap.pop(); best !== undefined; best = heap.pop()) {
      const { position, token } = best;
      const right = next[position]!;
      if (ids[position] === NO_TOKEN || right >= ids.length) continue;
      const rank = this.#ranks.get(ids[position]! * this.#stride + ids[right]!);
      if (rank === undefined || this.#merged[rank] !== token) continue;
      ids[position] = token;
      ids[right] = NO_TOKEN;
      next[position] = next[right]!;
      if (next[position]! < ids.length) previous[next[position]!] = position;
      offer(previous[position]!);
      offer(position);
    }
    return ids.filter((id) => id !== NO_TOKEN);
  }
}

/** The token of a byte in vocabularies with byte fallback. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}
