/** Writing into a tensor that exists. */
import { isGradEnabled } from "./grad_mode.ts";
import { recordGradient } from "./autograd.ts";
import { contiguousStrides, core, isContiguous, type ViewOrigin } from "./base.ts";
import { ShapeError, shapeText, stateError } from "./check.ts";
import { compileEager, runEagerKernel } from "./compile/eager.ts";
import { currentTrace } from "./compile/trace.ts";
import { where } from "./choice.ts";
import { convert } from "./convert.ts";
import { categoryOf } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import { type MapKernel, type ScatterKernel, sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { contiguous } from "./view.ts";

function checkWritable(op: string, target: Tensor, value: Tensor): void {
  if (shapeText(target.shape) !== shapeText(value.shape)) {
    throw new ShapeError(op, "the result does not have the shape of the target", {
      target: target.shape,
      result: value.shape,
    });
  }
  if (value.dtype !== target.dtype) {
    throw stateError(op, `the result has dtype ${value.dtype}, the target ${target.dtype}`);
  }
  const root = target.origin?.root ?? target;
  if (isGradEnabled() && root.isLeaf && root.requiresGrad) {
    throw stateError(
      op,
      "a leaf that requires a gradient cannot be written in place",
      "wrap the update in noGrad",
    );
  }
  if (target.strides.some((s, d) => s === 0 && target.shape[d]! > 1)) {
    throw stateError(
      op,
      "an expanded tensor shares elements and cannot be written",
      "clone() it first",
    );
  }
}

function coversStorage(x: Tensor): boolean {
  return x.offset === 0 && x.storage.size === sizeOf(x.shape) && isContiguous(x);
}

/**
 * Puts `value` into `target`'s memory; views of it see the change.
 *
 * @param fromOutside Whether `value` may belong to someone else, so that its array cannot be taken.
 */
export function assign(op: string, target: Tensor, result: Tensor, fromOutside = false): void {
  const narrows = categoryOf(result.dtype) <= categoryOf(target.dtype);
  const value = narrows ? convert(result, target.dtype) : result;
  checkWritable(op, target, value);
  const trace = currentTrace();
  if (trace && trace.backend === target.storage.backend) assignTraced(target, value);
  else if (coversStorage(target) && !target.storage.pinned) {
    const source = fromOutside || !coversStorage(value) ? contiguous(value, true) : value;
    target.storage.take(source.storage);
  } else copyStrided(target, value);
  target.storage.version++;
  if (isGradEnabled()) recordWrite(op, target, value);
}

/** The target goes on with the history of the value, and so do the tensors that it is a view of. */
function recordWrite(op: string, target: Tensor, value: Tensor): void {
  if (!value.requiresGrad && !target.requiresGrad) return;
  const { origin } = target;
  if (origin) recordPart(op, target, value, origin);
  else {
    recordGradient(
      op,
      null,
      // What was there before has no influence left, which the value's own history says if it has one.
      (c) => [c.needs(1) ? undefined : zerosOf(c.grad()), c.grad()],
      [target, value],
      [target],
      "none",
    );
  }
  (origin?.root ?? target).noteWrite();
}

function zerosOf(x: Tensor): Tensor {
  return core().fullOn(x.storage.backend, x.shape, 0, x.dtype);
}

/** The parent's gradient goes to the value where the view lies, and to what was there before elsewhere. */
function recordPart(op: string, view: Tensor, value: Tensor, origin: ViewOrigin): void {
  const { parent, again } = origin;
  recordGradient(
    op,
    null,
    (c) => [
      c.needs(0) ? where(origin.mask(view), 0, c.grad()) : undefined,
      c.needs(1) ? again(c.grad()) : undefined,
    ],
    [parent, value],
    [parent],
    "none",
  );
  if (parent.origin) recordPart(op, parent, parent, parent.origin);
}

function stridedIndex(x: Tensor): e.Expr {
  return e.strided(e.axesOf(x.shape), x.strides);
}

function copyStrided(target: Tensor, value: Tensor): void {
  const { dtype, shape } = target;
  if (target.strides.some((s) => s < 0)) {
    throw stateError(
      "copy_",
      "a flipped view cannot be written",
      "write the tensor it is a view of",
    );
  }
  const source = contiguous(value, value.storage === target.storage);
  const index = e.strided(e.axesOf(shape), contiguousStrides(shape));
  const kernel: MapKernel = {
    kind: "map",
    shape,
    inputs: [{ dtype }],
    outputs: [{ dtype, value: e.load(0, dtype, index), index: stridedIndex(target) }],
  };
  const { backend } = target.storage;
  runEagerKernel(backend, compileEager(backend, kernel), [source.storage], [source.offset], [
    target,
  ], "copy_");
}

function assignTraced(target: Tensor, value: Tensor): void {
  const trace = currentTrace()!;
  const { storage, dtype, shape } = target;
  const source = contiguous(value);
  if (coversStorage(target)) {
    const whole = coversStorage(source) ? source : contiguous(source, true);
    trace.valueOf(storage);
    trace.assign(storage, trace.valueOf(whole.storage));
    return;
  }
  const kernel: ScatterKernel = {
    kind: "scatter",
    size: storage.size,
    init: e.load(0, dtype, e.axis(0, storage.size)),
    shape,
    parallel: shape.map((_, d) => d),
    op: "set",
    target: e.add(stridedIndex(target), e.int(target.offset)),
    value: e.load(1, dtype, e.add(e.ravel(e.axesOf(shape), shape), e.int(source.offset))),
    guard: undefined,
    inputs: [{ dtype }, { dtype }],
    outputs: [{ dtype, value: e.constant(0, dtype), index: undefined }],
  };
  const inputs = [trace.valueOf(storage), trace.valueOf(source.storage)];
  const [written] = trace.kernel(kernel, inputs, [[storage.size]], "copy_");
  trace.assign(storage, written!);
}
