/** Arithmetic in bfloat16, for algorithms that are defined in it. */
import { applyElementwise, defineElementwise, type ElementwiseOp } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

const ROUND: ElementwiseOp = defineElementwise({
  name: "roundBfloat16",
  dtypes: "float",
  scalar: (x) => {
    const word = (n: number) => e.constant(n, "uint32");
    const bits = e.call("bitcast", [e.cast(x, "float32")], "uint32");
    const odd = e.call("and", [e.call("shr", [bits, word(16)]), word(1)]);
    const rounded = e.add(e.add(bits, odd), word(0x7fff));
    return e.cast(
      e.call("bitcast", [e.call("and", [rounded, word(0xffff0000)])], "float32"),
      x.dtype,
    );
  },
  gradient: (c) => [c.grad()],
  domain: [-4, 4],
});

/** Finite values rounded to the nearest bfloat16 (8 significant bits, ties to even), in the same dtype. */
export function roundBfloat16(x: Tensor): Tensor {
  return applyElementwise(ROUND, [x]);
}
