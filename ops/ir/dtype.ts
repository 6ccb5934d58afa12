/** Element types of tensors, their sizes and their promotion rules. */

/** Element type of a tensor, named as in PyTorch. */
export type DType = "float32" | "float16" | "float64" | "int32" | "uint32" | "bool";

/** Typed arrays that carry tensor data to and from the host. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Uint8Array
  | Uint16Array;

interface DTypeRow {
  /** Bytes of one stored element. A `bool` is stored as a 32-bit word, 0 or 1, on every device. */
  readonly bytes: number;
  /** 0 bool, 1 integer, 2 float: PyTorch's promotion categories. */
  readonly category: 0 | 1 | 2;
  /** Order inside a category: the higher wins. */
  readonly rank: number;
}

const ROWS: Record<DType, DTypeRow> = {
  bool: { bytes: 4, category: 0, rank: 0 },
  int32: { bytes: 4, category: 1, rank: 1 },
  uint32: { bytes: 4, category: 1, rank: 2 },
  float16: { bytes: 2, category: 2, rank: 3 },
  float32: { bytes: 4, category: 2, rank: 4 },
  float64: { bytes: 8, category: 2, rank: 5 },
};

/** All element types. */
export const DTYPES: readonly DType[] = Object.keys(ROWS) as DType[];

/** What is known of a dtype; programs that nobody type-checked name others. */
function rowOf(dtype: DType): DTypeRow {
  const row = ROWS[dtype];
  if (row) return row;
  throw new RangeError(`dtype: "${dtype}" is not one of ${DTYPES.join(", ")}`);
}

/** Bytes of one element as it lies in device memory. */
export function bytesOf(dtype: DType): number {
  return rowOf(dtype).bytes;
}

/** Whether `dtype` is one of the floating types. */
export function isFloat(dtype: DType): boolean {
  return rowOf(dtype).category === 2;
}

/** Whether `dtype` is a signed or unsigned integer. */
export function isInteger(dtype: DType): boolean {
  return rowOf(dtype).category === 1;
}

/** Promotion category: 0 bool, 1 integer, 2 float. */
export function categoryOf(dtype: DType): 0 | 1 | 2 {
  return rowOf(dtype).category;
}

/** The wider of two element types, by PyTorch's table. */
export function promoteTypes(a: DType, b: DType): DType {
  return rowOf(a).rank >= rowOf(b).rank ? a : b;
}
