/** The tensor handle: which storage, seen how. Functions live in the family files beside this one. */
import type { Backend, DeviceName } from "./backends/backend.ts";
import { ShapeError, shapeText } from "./check.ts";
import type { Storage } from "./compile/storage.ts";
import { currentTrace } from "./compile/trace.ts";
import { type DType, isFloat, type TypedArray } from "./ir/dtype.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { GradientNode } from "./autograd.ts";
import type { GradientHooks } from "./gradient_hooks.ts";
import type { Tensor } from "./tensor.ts";

/** Where a tensor's elements lie in its storage. */
export interface View {
  /** Sizes along each axis. */
  readonly shape: readonly number[];
  /** Step between neighbours along each axis, in elements; 0 repeats, negative runs backwards. */
  readonly strides: readonly number[];
  /** Element at coordinates 0, 0, …. */
  readonly offset: number;
}

/** Row-major strides of a shape. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides: number[] = new Array(shape.length);
  let step = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = step;
    step *= shape[d]!;
  }
  return strides;
}

/** Whether a view covers a row-major block without gaps (axes of size 1 do not count). */
export function isContiguous(view: View): boolean {
  let step = 1;
  for (let d = view.shape.length - 1; d >= 0; d--) {
    const size = view.shape[d]!;
    if (size !== 1 && view.strides[d] !== step) return size === 0 || sizeOf(view.shape) === 0;
    step *= size;
  }
  return true;
}

/** How a view came from another tensor, so that writes into one reach the gradients of the other. */
export interface ViewOrigin {
  /** The tensor that it is a view of, which may be one itself. */
  readonly parent: Tensor;
  /** The tensor at the end of the parents. */
  readonly root: TensorBase;
  /** The same view of another tensor of the parent's shape. */
  readonly again: (x: Tensor) => Tensor;
  /** Where in the parent the elements of the view lie. */
  mask(view: Tensor): Tensor;
  /** Records the view of what the parent holds now. */
  recordAgain(view: Tensor): void;
}

/** Fields and bookkeeping of a tensor. */
export abstract class TensorBase {
  /**
   * Array that this tensor is a view of.
   *
   * @internal
   */
  readonly storage: Storage;
  /** Sizes along each axis. */
  readonly shape: readonly number[];
  /** Steps in elements along each axis. */
  readonly strides: readonly number[];
  /** Position of the first element in the storage. */
  readonly offset: number;
  /** Whether the value came from a JavaScript number, which does not widen other dtypes. */
  readonly weak: boolean;
  #grad: Tensor | undefined = undefined;
  #node: GradientNode | undefined = undefined;
  #origin: ViewOrigin | undefined = undefined;
  /** Recorded writes into this tensor and its views; a view that has not seen them is out of date. */
  #writes = 0;
  #seenWrites = 0;
  /** Which output of `gradientNode` this is. */
  outputIndex = 0;
  #requiresGrad = false;

  /**
   * A view of an array; tensors are made by `tensor`, `zeros` and so on.
   *
   * @internal
   */
  constructor(storage: Storage, view: View, weak = false) {
    this.storage = storage;
    this.shape = view.shape;
    this.strides = view.strides;
    this.offset = view.offset;
    this.weak = weak;
  }

  /**
   * How the value was computed, where a gradient may be asked for.
   *
   * @internal
   */
  get gradientNode(): GradientNode | undefined {
    const origin = this.#origin;
    if (origin && this.#seenWrites !== origin.root.#writes) {
      this.gradientNode = undefined;
      origin.recordAgain(this as unknown as Tensor);
    }
    return this.#node;
  }

  set gradientNode(node: GradientNode | undefined) {
    this.#node = node;
    if (this.#origin) this.#seenWrites = this.#origin.root.#writes;
  }

  /**
   * Where a view comes from.
   *
   * @internal
   */
  get origin(): ViewOrigin | undefined {
    return this.#origin;
  }

  /**
   * Makes this tensor a view.
   *
   * @internal
   */
  startView(origin: ViewOrigin): void {
    this.#origin = origin;
    this.#seenWrites = origin.root.#writes;
  }

  /**
   * Notes that a write was recorded, so that views are recorded again when they are next asked for.
   *
   * @internal
   */
  noteWrite(): void {
    this.#writes++;
  }

  /**
   * Hooks on the gradient of a leaf; those of a computed tensor are its node's.
   *
   * @internal
   */
  leafHooks: GradientHooks | undefined = undefined;

  /** Gradient accumulated by `backward`, for leaves that require one. @throws {ShapeError} If one of another shape is put there. */
  get grad(): Tensor | undefined {
    currentTrace()?.readGradient(this, this.#grad);
    return this.#grad;
  }

  set grad(value: Tensor | undefined) {
    if (value && shapeText(value.shape) !== shapeText(this.shape)) {
      const shapes = { tensor: this.shape, gradient: value.shape };
      throw new ShapeError("grad", "the gradient has another shape", shapes);
    }
    currentTrace()?.writeGradient(this, this.#grad);
    this.#grad = value;
  }

  /** Element type. */
  get dtype(): DType {
    return this.storage.dtype;
  }

  /** Device the elements live on. */
  get device(): DeviceName {
    return this.storage.backend.name;
  }

  /** Number of axes. */
  get ndim(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get numel(): number {
    return sizeOf(this.shape);
  }

  /** Whether operations on this tensor are recorded for `backward`. */
  get requiresGrad(): boolean {
    return this.#requiresGrad || this.gradientNode !== undefined;
  }

  set requiresGrad(value: boolean) {
    this.setRequiresGrad(value);
  }

  /** Whether this is a leaf of the autograd graph. */
  get isLeaf(): boolean {
    return this.gradientNode === undefined;
  }

  /** Asks for a gradient (or not), like `requires_grad_`. @throws {TypeError} For integers. */
  setRequiresGrad(value = true): this {
    if (value && !isFloat(this.dtype)) {
      throw new TypeError(
        `requiresGrad: only floating tensors have gradients: dtype ${this.dtype}`,
      );
    }
    if (!value && this.gradientNode) {
      throw new Error(
        "requiresGrad: a computed tensor cannot stop requiring a gradient (use detach())",
      );
    }
    this.#requiresGrad = value;
    return this;
  }

  /** Size along one axis; negative axes count from the end. */
  size(axis: number): number {
    const size = this.shape[axis < 0 ? axis + this.shape.length : axis];
    if (size === undefined) {
      throw new RangeError(`size: dim ${axis} is out of range for ${this.shape.length} dimensions`);
    }
    return size;
  }

  /** Whether the elements lie row-major without gaps. */
  isContiguous(): boolean {
    return isContiguous(this);
  }

  /**
   * Makes this handle a view of another storage; for the library. Optimizers move parameters into
   * one array, and modules to another dtype or device, while everybody keeps the same handles.
   * Compiled functions that captured the old storage are traced anew.
   *
   * @internal
   */
  rebind(storage: Storage, view: View): void {
    this.storage.moves++;
    Object.assign(this, {
      storage,
      shape: view.shape,
      strides: view.strides,
      offset: view.offset,
    });
  }

  /** Gives the memory back at once instead of waiting for the collector; views of it die too. */
  dispose(): void {
    this.storage.dispose();
  }

  /** `using t = …` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Typed array class that holds host copies of a dtype (bool as bytes, float16 as its bits). */
export function hostArray(dtype: DType, buffer: ArrayBuffer): TypedArray {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "uint32":
      return new Uint32Array(buffer);
    case "float16":
      return new Uint16Array(buffer);
    case "bool":
      return Uint8Array.from(new Uint32Array(buffer));
  }
}

/** The few functions of the family files that the machinery below them calls. */
export interface Core {
  readonly Tensor: new (storage: Storage, view: View, weak?: boolean) => Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  clone(x: Tensor): Tensor;
  convert(x: Tensor, dtype: DType): Tensor;
  sumToShape(x: Tensor, shape: readonly number[]): Tensor;
  fullOn(backend: Backend, shape: readonly number[], value: number, dtype: DType): Tensor;
  scalarOn(backend: Backend, value: number | boolean, context: DType): Tensor;
}

let registered: Core | undefined;

/**
 * Tells the machinery the final class and the functions it needs. The family files define base
 * classes of `Tensor` and call `defineOp` when they load; naming these here instead of importing
 * them keeps imports free of cycles.
 */
export function registerCore(core: Core): void {
  registered = core;
}

/** What `tensor.ts` registered. */
export function core(): Core {
  return registered!;
}

/** A tensor over a storage. */
export function makeTensor(storage: Storage, view: View, weak = false): Tensor {
  return new registered!.Tensor(storage, view, weak);
}

/** A row-major tensor over a whole storage. */
export function wholeTensor(storage: Storage, shape: readonly number[], weak = false): Tensor {
  return makeTensor(storage, { shape, strides: contiguousStrides(shape), offset: 0 }, weak);
}
