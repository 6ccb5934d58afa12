/**
 * What an attention layer remembers of the tokens before, in arrays that never change their shape.
 *
 * @module
 */
import { arange, type Tensor, zeros } from "@tensaurus/core";

/** Sizes of a {@linkcode KeyValueCache}. */
export interface CacheSizes {
  /** Attention layers. */
  layers: number;
  /** Rows. */
  batch: number;
  /** Heads of keys and values. */
  heads: number;
  /** Positions. */
  length: number;
  /** Features of a head. */
  size: number;
}

/**
 * Keys and values of all positions so far, in arrays of fixed shape; a step writes its rows in place
 * at a position that is a tensor itself, so that every step is the same plan.
 */
export class KeyValueCache {
  /** Positions that there is room for. */
  readonly length: number;
  /** Keys of each layer, `[B, H, length, D]`. */
  readonly keys: readonly Tensor[];
  /** Values of each layer, `[B, H, length, D]`. */
  readonly values: readonly Tensor[];
  /** Tokens that are in, `[1]` int32. */
  readonly filled: Tensor;

  /** @param sizes Layers, rows, heads, positions, features. */
  constructor({ layers, batch, heads, length, size }: CacheSizes) {
    this.length = length;
    const make = (): Tensor => zeros([batch, heads, length, size]);
    this.keys = Array.from({ length: layers }, make);
    this.values = Array.from({ length: layers }, make);
    this.filled = zeros([1], { dtype: "int32" });
  }

  /** Positions of the next tokens, `[count]` int32. */
  positions(count: number): Tensor {
    return arange(0, count, 1, { dtype: "int32" }).add(this.filled);
  }

  /** Which positions each of the next tokens sees, `[count, length]` bool. */
  mask(count: number): Tensor {
    return this.#columns().le(this.positions(count).unsqueeze(1));
  }

  /**
   * Writes keys and values `[B, H, T, D]` of the next tokens of a layer.
   *
   * @returns All keys and values of the layer, `[B, H, length, D]`.
   */
  append(layer: number, key: Tensor, value: Tensor): [keys: Tensor, values: Tensor] {
    const keys = this.keys[layer]!, values = this.values[layer]!;
    const positions = this.positions(key.shape[2]!);
    return [keys.indexCopy_(2, positions, key), values.indexCopy_(2, positions, value)];
  }

  /** Counts tokens that all layers have been given. */
  advance(count: number): void {
    this.filled.add_(count);
  }

  /** Reorders the rows: row `i` becomes what row `rows[i]` was, as a beam search needs it. */
  reorder(rows: Tensor): void {
    for (const all of [...this.keys, ...this.values]) all.copy_(all.indexSelect(0, rows));
  }

  /** Forgets all tokens. */
  reset(): void {
    this.filled.zero_();
  }

  #columns(): Tensor {
    return arange(0, this.length, 1, { dtype: "int32" });
  }
}
