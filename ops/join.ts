/** Tensors joined along an axis, and repetition. */
import { convert } from "./convert.ts";
import { recordGradient } from "./autograd.ts";
import { wholeTensor } from "./base.ts";
import { checkList, normalizeAxis, ShapeError } from "./check.ts";
import { currentTrace } from "./compile/trace.ts";
import { apply, commonBackend, defineOp, resultType } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { sizeOf } from "./ir/kernel.ts";
import { owned } from "./own.ts";
import { slice } from "./slice.ts";
import type { Tensor } from "./tensor.ts";
import { contiguous, expand, reshape, unsqueeze } from "./view.ts";

/** Most inputs that one kernel joins: GPUs bind few arrays at a time. */
const CAT_WIDTH = 6;

const CAT = defineOp<{ axis: number }>({
  name: "cat",
  lower(operands, { axis }) {
    const first = operands[0]!;
    const size = operands.reduce((n, x) => n + x.shape[axis]!, 0);
    const shape = first.shape.map((s, d) => d === axis ? size : s);
    const axes = e.axesOf(shape);
    let start = size;
    let value: Expr | undefined;
    for (const operand of [...operands].reverse()) {
      start -= operand.shape[axis]!;
      const at = e.sub(axes[axis]!, e.int(start));
      const guard = e.and(e.le(e.int(0), at), e.lt(at, e.int(operand.shape[axis]!)));
      const piece = operand.at(axes.map((a, d) => d === axis ? at : a), guard);
      value = value
        ? e.select(e.lt(axes[axis]!, e.int(start + operand.shape[axis]!)), piece, value)
        : piece;
    }
    const { dtype } = first;
    const inputs = operands.map((x) => ({ dtype: x.dtype }));
    const outputs = [{ dtype, value: value!, index: undefined }];
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
  },
  saves: "none",
  gradient: (c) => {
    const { axis } = c.attributes;
    const grads: (Tensor | undefined)[] = [];
    let start = 0;
    for (let i = 0; start < c.grad().shape[axis]!; i++) {
      const size = c.inputShape(i)[axis]!;
      grads.push(c.needs(i) ? slice(c.grad(), axis, start, start + size) : undefined);
      start += size;
    }
    return grads;
  },
});

/**
 * Tensors joined along an axis, like `torch.cat`.
 *
 * @param tensors At least one; equal sizes on all other axes. Empty one-dimensional tensors are skipped.
 * @param dim Axis.
 * @throws {ShapeError} If other sizes differ.
 */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  checkList("cat", "tensors", tensors);
  const parts = tensors.filter((x) => !(x.ndim === 1 && x.shape[0] === 0));
  if (!tensors.length) throw new ShapeError("cat", "needs at least one tensor");
  if (!parts.length) return contiguous(tensors[0]!, true);
  const [first] = parts as [Tensor];
  if (first.ndim === 0) {
    throw new ShapeError("cat", "numbers have no axis to join", {}, "use stack");
  }
  const axis = normalizeAxis("cat", dim, first.ndim);
  for (const x of parts) {
    if (x.ndim !== first.ndim || x.shape.some((s, d) => d !== axis && s !== first.shape[d])) {
      throw new ShapeError("cat", `sizes differ outside of dim ${dim}`, {
        first: first.shape,
        other: x.shape,
      });
    }
  }
  commonBackend("cat", parts);
  const dtype = resultType(parts);
  return catParts(parts.map((x) => convert(x, dtype)), axis);
}

function catParts(parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length === 1) return contiguous(parts[0]!, true);
  const outer = sizeOf(parts[0]!.shape.slice(0, axis));
  const trace = currentTrace();
  if (outer === 1 && trace && trace.backend === parts[0]!.storage.backend) {
    return packParts(parts, axis);
  }
  if (parts.length <= CAT_WIDTH) return apply(CAT, parts, { axis });
  const width = Math.ceil(parts.length / CAT_WIDTH);
  const groups: Tensor[] = [];
  for (let i = 0; i < parts.length; i += width) {
    groups.push(catParts(parts.slice(i, i + width), axis));
  }
  return catParts(groups, axis);
}

/** While tracing, parts that lie end to end become places of one array that their producers fill. */
function packParts(parts: readonly Tensor[], axis: number): Tensor {
  const trace = currentTrace()!;
  const whole = parts.map((x) => {
    const y = contiguous(x);
    return y.offset === 0 && y.storage.size === sizeOf(y.shape) ? y : contiguous(y, true);
  });
  const offsets: number[] = [];
  let size = 0;
  for (const x of whole) {
    offsets.push(size);
    size += sizeOf(x.shape);
  }
  const value = trace.pack(whole.map((x) => trace.valueOf(x.storage)), offsets, size, "cat");
  const length = parts.reduce((n, x) => n + x.shape[axis]!, 0);
  const shape = parts[0]!.shape.map((s, d) => d === axis ? length : s);
  const y = wholeTensor(trace.storageOf(value), shape);
  recordGradient(
    "cat",
    axis,
    (c) => {
      let start = 0;
      return whole.map((x, i) => {
        const from = start;
        start += x.shape[axis]!;
        return c.needs(i) ? slice(c.grad(), axis, from, start) : undefined;
      });
    },
    whole,
    [y],
    "none",
  );
  return y;
}

/** Tensors of one shape joined along a new axis, like `torch.stack`. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  checkList("stack", "tensors", tensors);
  if (!tensors.length) throw new ShapeError("stack", "needs at least one tensor");
  const [first] = tensors as [Tensor];
  for (const x of tensors) {
    if (x.shape.length !== first.ndim || x.shape.some((s, d) => s !== first.shape[d])) {
      throw new ShapeError("stack", "shapes differ", { first: first.shape, other: x.shape });
    }
  }
  const axis = normalizeAxis("stack", dim, first.ndim + 1);
  return cat(tensors.map((x) => unsqueeze(x, axis)), axis);
}

/** Tensors side by side, like `torch.hstack`. */
export function hstack(tensors: readonly Tensor[]): Tensor {
  const lifted = tensors.map((x) => x.ndim === 0 ? reshape(x, [1]) : x);
  return cat(lifted, lifted[0]!.ndim === 1 ? 0 : 1);
}

/** Tensors on top of each other, like `torch.vstack`. */
export function vstack(tensors: readonly Tensor[]): Tensor {
  return cat(tensors.map((x) => x.ndim < 2 ? reshape(x, [1, -1]) : x), 0);
}

/** Tensors behind each other along the third axis, like `torch.dstack`. */
export function dstack(tensors: readonly Tensor[]): Tensor {
  const lifted = tensors.map((x) =>
    x.ndim < 2 ? reshape(x, [1, x.numel, 1]) : x.ndim === 2 ? unsqueeze(x, 2) : x
  );
  return cat(lifted, 2);
}

/** Vectors as columns beside matrices, like `torch.column_stack`. */
export function columnStack(tensors: readonly Tensor[]): Tensor {
  return cat(tensors.map((x) => x.ndim < 2 ? reshape(x, [x.numel, 1]) : x), 1);
}

/** Each element (or slice) repeated, like `torch.repeat_interleave` with a number. */
export function repeatInterleave(x: Tensor, repeats: number, dim?: number | undefined): Tensor {
  if (dim === undefined) return repeatInterleave(reshape(x, [-1]), repeats, 0);
  const axis = normalizeAxis("repeatInterleave", dim, x.ndim);
  const wide = unsqueeze(x, axis + 1);
  const sizes = wide.shape.map((s, d) => d === axis + 1 ? repeats : s);
  const shape = x.shape.map((s, d) => d === axis ? s * repeats : s);
  return owned(reshape(expand(wide, sizes), shape), x);
}
