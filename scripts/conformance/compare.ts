/** Comparing results with the reference: one table of tolerances by name and family. */
import { Tensor } from "../../ops/mod.ts";
import { decodeNumbers, type EncodedTensor, isEncodedTensor, type Outcome } from "./cases.ts";

/** |a − b| ≤ absolute + relative · |b|. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

const TOLERANCES: Record<"usual" | "loose", Tolerance> = {
  usual: { absolute: 1e-5, relative: 1e-4 },
  /** Long sums, factors of matrices, several steps of training. */
  loose: { absolute: 1e-4, relative: 1e-3 },
};

/** Names (of files, without `.json.gz`) that are compared more loosely, with the reason. */
const FAMILIES: readonly (readonly [RegExp, Tolerance])[] = [
  // Factors of matrices, and gradients that divide by differences of their values.
  [/^op\.(linalg|cdist|norm)\b/, TOLERANCES.loose],
  // Products of many numbers: relative errors add up.
  [/^op\.(prod|cumprod)$/, TOLERANCES.loose],
  // float32 near the poles and zeros of the gamma function.
  [/^op\.(lgamma|digamma|polygamma|erfinv)$/, TOLERANCES.loose],
  // Sums of large products that nearly cancel (scores up to 60 before the softmax).
  [/scaled_dot_product_attention$/, TOLERANCES.loose],
  [/^model\./, TOLERANCES.loose],
  [/^module\.(Transformer|MultiheadAttention|LSTM|GRU|RNN)/, TOLERANCES.loose],
  [/^hf-/, TOLERANCES.loose],
];

/** The tolerance of a file's cases. */
export function toleranceOf(name: string): Tolerance {
  return FAMILIES.find(([pattern]) => pattern.test(name))?.[1] ?? TOLERANCES.usual;
}

/** Collects the comparisons of one case. */
export class Comparison {
  readonly #tolerance: Tolerance;
  #worst = 0;
  #problem: string | undefined;

  constructor(name: string) {
    this.#tolerance = toleranceOf(name);
  }

  /** Notes a problem that is no number. */
  fail(problem: string): void {
    this.#worst = Infinity;
    this.#problem ??= problem;
  }

  /** Compares numbers. */
  numbers(label: string, got: ArrayLike<number>, wanted: ArrayLike<number>): void {
    if (got.length !== wanted.length) {
      return this.fail(`${label} has ${got.length} elements, expected ${wanted.length}`);
    }
    const { absolute, relative } = this.#tolerance;
    for (let i = 0; i < wanted.length; i++) {
      const a = Number(got[i]), b = Number(wanted[i]);
      if (a === b || (a !== a && b !== b)) continue;
      const gap = Math.abs(a - b), error = gap / Math.max(1, Math.abs(b));
      if (!(error <= this.#worst)) this.#worst = error === error ? error : Infinity;
      if (!(gap <= absolute + relative * Math.abs(b))) {
        this.#problem ??= `${label}[${i}] is ${a}, expected ${b}`;
      }
    }
  }

  /** Compares a tensor or number with what a file holds. */
  async value(label: string, got: unknown, wanted: unknown): Promise<void> {
    if (!isEncodedTensor(wanted)) return this.#plain(label, got, wanted);
    if (!(got instanceof Tensor)) return this.fail(`${label} is no tensor`);
    this.shape(label, got.shape, wanted);
    if (this.#problem === undefined || got.numel === decodeNumbers(wanted).length) {
      this.numbers(label, await got.data(), decodeNumbers(wanted));
    }
  }

  /** Compares the first `size` positions of an axis, where the others are not unique. */
  async part(
    label: string,
    got: Tensor,
    wanted: Tensor,
    axis: number,
    size: number,
  ): Promise<void> {
    const [a, b] = [got, wanted].map((x) => x.narrow(axis, 0, size));
    this.numbers(label, await a!.data(), await b!.data());
  }

  #plain(label: string, got: unknown, wanted: unknown): void {
    if (typeof wanted === "number") return this.numbers(label, [Number(got)], [wanted]);
    if (JSON.stringify(got) !== JSON.stringify(wanted)) {
      this.fail(`${label} is ${JSON.stringify(got)}, expected ${JSON.stringify(wanted)}`);
    }
  }

  /** Compares a shape. */
  shape(label: string, got: readonly number[], wanted: EncodedTensor): void {
    if (got.join() !== wanted.$t.join()) {
      this.fail(`${label} has shape [${got.join(", ")}], expected [${wanted.$t.join(", ")}]`);
    }
  }

  /** The result. */
  get outcome(): Outcome {
    return {
      pass: this.#problem === undefined,
      worst: this.#worst,
      ...(this.#problem === undefined ? {} : { message: this.#problem }),
    };
  }
}
