import { formatShape, sizeOf } from "./_check.ts";

/** Element types of arrays on the host; the names are PyTorch's. */
export type HostDType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint64"
  | "uint32"
  | "uint16"
  | "uint8"
  | "bool";

/** Elements of a {@linkcode HostArray}. */
export type HostData =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** An array in host memory, before it becomes a tensor or after it was one. */
export interface HostArray {
  /** Element type. */
  dtype: HostDType;
  /** Extents, outermost first. */
  shape: number[];
  /** Elements, row-major; halves as their bits, booleans as bytes. */
  data: HostData;
}

interface DTypeInfo {
  bytes: number;
  wrap: (buffer: ArrayBuffer, offset: number, count: number) => HostData;
}

/** Bytes per element, and the view that holds them. */
export const HOST_DTYPES: Readonly<Record<HostDType, DTypeInfo>> = {
  float64: { bytes: 8, wrap: (buffer, offset, count) => new Float64Array(buffer, offset, count) },
  float32: { bytes: 4, wrap: (buffer, offset, count) => new Float32Array(buffer, offset, count) },
  float16: { bytes: 2, wrap: (buffer, offset, count) => new Uint16Array(buffer, offset, count) },
  bfloat16: { bytes: 2, wrap: (buffer, offset, count) => new Uint16Array(buffer, offset, count) },
  int64: { bytes: 8, wrap: (buffer, offset, count) => new BigInt64Array(buffer, offset, count) },
  int32: { bytes: 4, wrap: (buffer, offset, count) => new Int32Array(buffer, offset, count) },
  int16: { bytes: 2, wrap: (buffer, offset, count) => new Int16Array(buffer, offset, count) },
  int8: { bytes: 1, wrap: (buffer, offset, count) => new Int8Array(buffer, offset, count) },
  uint64: { bytes: 8, wrap: (buffer, offset, count) => new BigUint64Array(buffer, offset, count) },
  uint32: { bytes: 4, wrap: (buffer, offset, count) => new Uint32Array(buffer, offset, count) },
  uint16: { bytes: 2, wrap: (buffer, offset, count) => new Uint16Array(buffer, offset, count) },
  uint8: { bytes: 1, wrap: (buffer, offset, count) => new Uint8Array(buffer, offset, count) },
  bool: { bytes: 1, wrap: (buffer, offset, count) => new Uint8Array(buffer, offset, count) },
};

/** The element type that a typed array has when nothing else is said. */
export function dtypeOf(data: ArrayBufferView): HostDType | undefined {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Uint32Array) return "uint32";
  if (data instanceof Uint8Array) return "uint8";
  if (data instanceof Int8Array) return "int8";
  if (data instanceof Int16Array) return "int16";
  if (data instanceof Uint16Array) return "uint16";
  if (data instanceof BigInt64Array) return "int64";
  if (data instanceof BigUint64Array) return "uint64";
  return undefined;
}

/** Throws unless the elements fill the shape and have the type that is claimed. */
export function checkHostArray(op: string, name: string, array: HostArray): void {
  const { dtype, shape, data } = array;
  if (typeof data !== "object") {
    throw new TypeError(`${op}: ${name} holds no array (for a tensor's values await toHost(x))`);
  }
  const info = HOST_DTYPES[dtype];
  if (info === undefined) throw new RangeError(`${op}: ${name} has an unknown dtype "${dtype}"`);
  const wanted = info.wrap(new ArrayBuffer(0), 0, 0).constructor;
  if (data.constructor !== wanted) {
    throw new TypeError(
      `${op}: ${name} holds a ${data.constructor.name}, dtype ${dtype} needs a ${wanted.name}`,
    );
  }
  if (data.length !== sizeOf(shape)) {
    throw new RangeError(
      `${op}: ${name} has ${data.length} elements, shape ${formatShape(shape)} ` +
        `needs ${sizeOf(shape)}`,
    );
  }
}

/** True where a value has the fields of a {@linkcode HostArray}. */
export function isHostArray(value: unknown): value is HostArray {
  if (typeof value !== "object" || value === null) return false;
  const { dtype, shape, data } = value as Partial<HostArray>;
  return typeof dtype === "string" && dtype in HOST_DTYPES && Array.isArray(shape) &&
    ArrayBuffer.isView(data);
}
