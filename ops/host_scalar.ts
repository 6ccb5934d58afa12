/** Numbers of the host that compiled plans read anew at each replay. */
import { wholeTensor } from "./base.ts";
import { backendOr } from "./compile/devices.ts";
import { currentTrace } from "./compile/trace.ts";
import { fromValues } from "./host_values.ts";
import type { Tensor } from "./tensor.ts";

let hostScalarCount = 0;

/**
 * A number of the host as a 0-dimensional float32 tensor that a compiled plan reads anew at each
 * replay (a learning rate that a scheduler changes), instead of freezing it.
 *
 * @param read Gives the current value.
 * @param options Device of the tensor.
 * @returns A scalar.
 */
export function hostScalar(
  read: () => number,
  options: { like?: Tensor | undefined } = {},
): Tensor {
  const trace = currentTrace();
  const backend = options.like?.storage.backend ?? trace?.backend ?? backendOr(undefined);
  if (!trace || trace.backend !== backend) return fromValues([read()], [], "float32", backend);
  const key = `host scalar ${hostScalarCount++}`;
  const value = trace.hostInput(key, "float32", [], () => Float32Array.of(read()));
  return wholeTensor(trace.storageOf(value), []);
}

/** Most scalars that share one array. */
const SCALARS_PER_ARRAY = 16;

/**
 * Scalars like those of `hostScalar` that share one array of the plan, so that a kernel which reads
 * many of them binds one buffer.
 */
export class HostScalars {
  readonly #like: Tensor;
  #reads: (() => number)[] = [];
  #array: Tensor | undefined;

  /** @param like A tensor on the same device. */
  constructor(like: Tensor) {
    this.#like = like;
  }

  /**
   * One more scalar.
   *
   * @param read Gives the current value.
   * @returns A 0-dimensional float32 tensor.
   */
  add(read: () => number): Tensor {
    const trace = currentTrace();
    const { backend } = this.#like.storage;
    if (!trace || trace.backend !== backend) return hostScalar(read, { like: this.#like });
    if (!this.#array || this.#reads.length === SCALARS_PER_ARRAY) {
      const reads: (() => number)[] = [];
      const produce = () => {
        const values = new Float32Array(SCALARS_PER_ARRAY);
        for (const [i, value] of reads.entries()) values[i] = value();
        return values;
      };
      const key = `host scalars ${hostScalarCount++}`;
      const value = trace.hostInput(key, "float32", [SCALARS_PER_ARRAY], produce);
      this.#array = wholeTensor(trace.storageOf(value), [SCALARS_PER_ARRAY]);
      this.#reads = reads;
    }
    return this.#array.select(0, this.#reads.push(read) - 1);
  }
}
