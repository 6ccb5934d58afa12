/** What all indexing shares. */
import { DtypeError } from "./check.ts";
import type { Operand } from "./define.ts";
import { isInteger } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

/** Refuses positions that are not whole numbers by dtype. */
export function checkIndex(op: string, index: Tensor): void {
  if (!isInteger(index.dtype)) {
    throw new DtypeError(op, `index has dtype ${index.dtype}, expects int32`);
  }
}

/** An index with negative values counted from the end. */
export function wrapped(index: Operand, coordinates: readonly Expr[], size: number): Expr {
  const at = e.cast(index.at(coordinates), "int32");
  return e.select(e.lt(at, e.int(0)), e.add(at, e.int(size)), at);
}
