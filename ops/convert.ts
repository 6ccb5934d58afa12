/** Conversion between dtypes. */
import { checkStorable } from "./check.ts";
import { apply, defineOp } from "./define.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

const CONVERT = defineOp<{ dtype: DType }>({
  name: "convert",
  lower([x], { dtype }) {
    const value = e.cast(x!.at(e.axesOf(x!.shape)), dtype);
    const outputs = [{ dtype, value, index: undefined }];
    const kernel = {
      kind: "map",
      shape: x!.shape,
      inputs: [{ dtype: x!.dtype }],
      outputs,
    } as const;
    return { kernel, shapes: [x!.shape] };
  },
  saves: "none",
  gradient: (context) => [convert(context.grad(), context.inputDtype(0))],
});

/**
 * The same values in another dtype, like `Tensor.to(dtype)`; the tensor itself if nothing changes.
 * Floats to integers truncate and saturate; to bool compare with zero.
 */
export function convert(x: Tensor, dtype: DType): Tensor {
  if (x.dtype === dtype) return x;
  checkStorable("to", dtype, x.storage.backend);
  return apply(CONVERT, [x], { dtype });
}
