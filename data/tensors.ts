import { checkHostArray, type HostArray, type HostData, isHostArray } from "./array.ts";
import { widenBfloat16, widenFloat16 } from "./half.ts";
import { type DeviceName, type DType, type Tensor, tensor } from "../ops/mod.ts";

/** Where {@linkcode toTensor} puts the elements. */
export interface ToTensorOptions {
  /** Device; the default device where absent. */
  device?: DeviceName | undefined;
  /** Element type on the device; the one nearest to the array's where absent. */
  dtype?: DType | undefined;
}

/**
 * A tensor from an array in host memory.
 *
 * Integers of 8, 16 and 64 bits become int32, bfloat16 becomes float32; the other types are kept.
 *
 * @param array Array on the host.
 * @param options Device and element type.
 * @returns A new tensor; the elements are copied.
 * @throws {RangeError} If a 64-bit integer does not fit int32, or the elements do not fill the
 *   shape.
 *
 * @example
 * ```ts
 * import { toTensor } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * const x = toTensor({ dtype: "uint8", shape: [1, 2], data: new Uint8Array([3, 4]) });
 * assertEquals([x.shape, x.dtype], [[1, 2], "int32"]);
 * ```
 */
export function toTensor(array: HostArray, options: ToTensorOptions = {}): Tensor {
  checkHostArray("toTensor", "array", array);
  const { device } = options;
  const [values, natural] = deviceValues(array);
  return tensor(values, { shape: array.shape, device, dtype: options.dtype ?? natural });
}

type DeviceValues = Float32Array | Float64Array | Int32Array | Uint32Array;

function deviceValues({ dtype, data }: HostArray): [DeviceValues, DType] {
  if (data instanceof Uint16Array && dtype === "float16") return [widenFloat16(data), "float16"];
  if (data instanceof Uint16Array && dtype === "bfloat16") return [widenBfloat16(data), "float32"];
  if (data instanceof Float32Array) return [data, "float32"];
  if (data instanceof Float64Array) return [data, "float64"];
  if (data instanceof Int32Array) return [data, "int32"];
  if (data instanceof Uint32Array) return [data, "uint32"];
  if (dtype === "bool") return [Int32Array.from(data as Uint8Array), "bool"];
  return [narrowIntegers(data), "int32"];
}

function narrowIntegers(data: HostData): Int32Array {
  if (!(data instanceof BigInt64Array || data instanceof BigUint64Array)) {
    return new Int32Array(data);
  }
  return Int32Array.from(data, (value: bigint, i) => {
    if (BigInt.asIntN(32, value) === value) return Number(value);
    throw new RangeError(`toTensor: element ${i} is ${value}, which does not fit int32`);
  });
}

/**
 * The elements of a tensor in host memory, ready to be written to a file.
 *
 * @param x Tensor.
 * @returns Array of the same shape and element type.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { toHost } from "@tensaurus/core/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals((await toHost(tensor([1, 2]))).data, new Float32Array([1, 2]));
 * ```
 */
export async function toHost(x: Tensor): Promise<HostArray> {
  return { dtype: x.dtype, shape: [...x.shape], data: await x.data() as HostData };
}

/** What a {@linkcode DataLoader} makes of a batch: arrays on the host become tensors. */
export type Placed<T> = T extends Tensor ? Tensor
  : T extends HostArray ? Tensor
  : T extends string | number | bigint | boolean | null | undefined ? T
  : T extends readonly unknown[] ? { [K in keyof T]: Placed<T[K]> }
  : T extends ArrayBufferView ? T
  : T extends object ? { [K in keyof T]: Placed<T[K]> }
  : T;

/** Replaces the arrays in a batch by tensors; tuples and plain objects keep their form. */
export function place(batch: unknown, device: DeviceName | undefined): unknown {
  if (isHostArray(batch)) return toTensor(batch, { device });
  if (Array.isArray(batch)) return batch.map((part) => place(part, device));
  const plain = typeof batch === "object" && batch !== null &&
    Object.getPrototypeOf(batch) === Object.prototype;
  if (!plain) return batch;
  return Object.fromEntries(Object.entries(batch).map(([key, part]) => [key, place(part, device)]));
}
