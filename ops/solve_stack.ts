/** Systems of equations on the host. */
import { neg } from "./arithmetic.ts";
import { differentiable } from "./autograd.ts";
import { stateError } from "./check.ts";
import { matmul } from "./contract.ts";
import { sizeOf } from "./ir/kernel.ts";
import { solveMatrix } from "./linalg_host.ts";
import { forMatrices, onHost, T } from "./linalg_stack.ts";
import type { Tensor } from "./tensor.ts";

/** `solve` for stacks of equal batch axes. */
export function solveStack(a: Tensor, b: Tensor): Tensor {
  return differentiable("solve", null, [a, b], () => {
    const n = a.size(-1), columns = b.size(-1);
    const { values, make } = onHost(a);
    const right = onHost(b).values, x = new Float64Array(right.length);
    forMatrices(values, n * n, sizeOf(a.shape.slice(0, -2)), (matrix, i) => {
      const side = right.subarray(i * n * columns, (i + 1) * n * columns);
      const solution = solveMatrix(matrix, n, side, columns);
      if (!solution) throw stateError("solve", `matrix ${i} is singular`);
      x.set(solution, i * n * columns);
    });
    return make(x, b.shape);
  }, (c) => {
    // gB = A⁻ᵀ gX, gA = −gB Xᵀ
    const right = solveStack(T(c.input(0)), c.grad());
    return [c.needs(0) ? neg(matmul(right, T(c.output()))) : undefined, right];
  }, "both");
}
