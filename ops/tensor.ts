/** The class `Tensor`: a handle with all methods, and what takes values out of the device. */
import { backward, type BackwardOptions } from "./autograd.ts";
import { type GradientHook, registerHook, retainGrad } from "./gradient_hooks.ts";
import { isGradEnabled } from "./grad_mode.ts";
import { hostArray, registerCore, type View } from "./base.ts";
import type { DeviceName } from "./backends/backend.ts";
import { bytesOf, type DType, DTYPES, type TypedArray } from "./ir/dtype.ts";
import { sizeOf } from "./ir/kernel.ts";
import { backendNamed } from "./compile/devices.ts";
import { breathe } from "./compile/collect.ts";
import { allocateStorage, type Storage } from "./compile/storage.ts";
import { currentTrace } from "./compile/trace.ts";
import { rangeError, stateError } from "./check.ts";
import { fullOn, scalarOn } from "./host_values.ts";
import type { TensorOrNumber } from "./define.ts";
import { add, div, mul, sub } from "./arithmetic.ts";
import { convert } from "./convert.ts";
import { indexCopy } from "./index.ts";
import { assign } from "./inplace.ts";
import { InplaceMethods } from "./inplace_methods.ts";
import { wholeTensor } from "./base.ts";
import { formatTensor } from "./format.ts";
import { sumToShape } from "./sum_to_shape.ts";
import { clone, contiguous, expand } from "./view.ts";
import { padConstant } from "./slice.ts";

/** Nested arrays of numbers, as `tolist` gives them. */
export type NestedNumbers = number | boolean | NestedNumbers[];

/**
 * An n-dimensional array on a device. Made by `tensor`, `zeros`, `randn` and so on; operations are
 * methods and functions of the same name, and follow PyTorch.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const x = tensor([1, 2, 3], { requiresGrad: true });
 * x.square().sum().backward();
 * assertEquals([...await x.grad!.data()], [2, 4, 6]);
 * ```
 */
export class Tensor extends InplaceMethods {
  /**
   * Values on the host, row-major: a typed array of the dtype (bool as 0 and 1 in a Uint8Array).
   * Waits for the device.
   */
  async data(): Promise<TypedArray> {
    refuseWhileTracing("data");
    const { buffer, start, bytes } = this.#readable();
    const read = await this.storage.backend.read(buffer, start, bytes);
    await breathe(this.storage.backend);
    return hostArray(this.dtype, read.buffer);
  }

  /** The same at once, on devices that can. @throws {Error} Where the device cannot. */
  dataSync(): TypedArray {
    refuseWhileTracing("dataSync");
    const { buffer, start, bytes } = this.#readable();
    const read = this.storage.backend.readSync(buffer, start, bytes);
    if (!read) {
      throw stateError("dataSync", `device ${this.device} cannot be read at once`, "await data()");
    }
    return hostArray(this.dtype, read.buffer);
  }

  #readable(): { buffer: NonNullable<Storage["buffer"]>; start: number; bytes: number } {
    const x = contiguous(this);
    const { buffer } = x.storage;
    if (!buffer) {
      throw stateError(
        "data",
        x.storage.traced
          ? "the tensor belongs to a compiled function"
          : "the memory of the tensor was given back",
        x.storage.traced ? "return it from the function" : "read it before dispose or tidy",
      );
    }
    const width = bytesOf(this.dtype);
    return { buffer, start: x.offset * width, bytes: sizeOf(x.shape) * width };
  }

  /** The only element as a number. @throws {Error} If there is not exactly one. */
  async item(): Promise<number> {
    refuseWhileTracing("item");
    if (sizeOf(this.shape) !== 1) {
      throw stateError("item", `the tensor has ${sizeOf(this.shape)} elements, item() wants one`);
    }
    const { backend } = this.storage;
    const { buffer, start, bytes } = this.#readable();
    const sync = backend.slowReadSync ? undefined : backend.readSync(buffer, start, bytes);
    const values = sync ? hostArray(this.dtype, sync.buffer) : await this.data();
    if (sync) await breathe(backend);
    return Number(values[0]);
  }

  /** Values as nested arrays. */
  async tolist(): Promise<NestedNumbers> {
    const values = await this.data();
    const build = (dim: number, start: number, stride: number): NestedNumbers => {
      if (dim === this.shape.length) {
        return this.dtype === "bool" ? values[start] !== 0 : values[start]!;
      }
      const step = stride / this.shape[dim]!;
      return Array.from(
        { length: this.shape[dim]! },
        (_, i) => build(dim + 1, start + i * step, step),
      );
    };
    return build(0, 0, values.length);
  }

  /**
   * The values in another dtype and/or on another device, like `torch.Tensor.to`. Moving between
   * devices from a tensor that is on a GPU takes a promise: use `await x.toDevice(name)`.
   */
  to(target: DType): Tensor {
    if (!DTYPES.includes(target)) {
      const problem = `"${target}" is not one of ${DTYPES.join(", ")}`;
      throw rangeError("to", problem, {}, "to another device with await toDevice(name)");
    }
    return convert(this, target);
  }

  /** The values on another device; the tensor itself if it is there. */
  async toDevice(device: DeviceName): Promise<Tensor> {
    if (device === this.device) return this;
    const { buffer, start, bytes } = this.#readable();
    const read = await this.storage.backend.read(buffer, start, bytes);
    const target = backendNamed(device);
    const storage = allocateStorage(target, this.dtype, sizeOf(this.shape));
    if (bytes) target.write(storage.buffer!, 0, read);
    const moved = wholeTensor(storage, this.shape);
    return this.isLeaf && this.requiresGrad ? moved.setRequiresGrad(true) : moved;
  }

  /** Computes gradients of the leaves that this tensor depends on; see the function `backward`. */
  backward(options?: BackwardOptions): void {
    backward(this, options);
  }

  /** Calls a function with the gradient of this tensor; see the function `registerHook`. */
  registerHook(hook: GradientHook): () => void {
    return registerHook(this, hook);
  }

  /** Keeps the gradient of this tensor in `grad`; see the function `retainGrad`. */
  retainGrad(): void {
    retainGrad(this);
  }

  /** Constant padding; see the function `padConstant`. */
  pad(padding: readonly number[], value?: number): Tensor {
    return padConstant(this, padding, value);
  }

  /** Shape of another tensor, by repetition. */
  expandAs(other: Tensor): Tensor {
    return expand(this, other.shape);
  }

  /** Overwrites the values in place, like `copy_`; the source broadcasts and converts. */
  copy_(source: Tensor): this {
    const value = expand(convert(source, this.dtype), this.shape);
    assign("copy_", this, value, true);
    return this;
  }

  /**
   * Replaces slices in place, like `index_copy_`. In a compiled function that writes a tensor from
   * outside, only the slices are written.
   */
  indexCopy_(dim: number, index: Tensor, source: Tensor): this {
    assign("indexCopy_", this, indexCopy(this, dim, index, source));
    return this;
  }

  /** Fills in place, like `fill_`. */
  fill_(value: number): this {
    assign("fill_", this, fullOn(this.storage.backend, this.shape, value, this.dtype), true);
    return this;
  }

  /** Zeros in place, like `zero_`. */
  zero_(): this {
    return this.fill_(0);
  }

  /** Adds in place, like `add_`. */
  add_(other: TensorOrNumber, options?: { alpha?: number | undefined }): this {
    assign("add_", this, add(this, other, options));
    return this;
  }

  /** Subtracts in place, like `sub_`. */
  sub_(other: TensorOrNumber, options?: { alpha?: number | undefined }): this {
    assign("sub_", this, sub(this, other, options));
    return this;
  }

  /** Multiplies in place, like `mul_`. */
  mul_(other: TensorOrNumber): this {
    assign("mul_", this, mul(keptFactor(this, other), other));
    return this;
  }

  /** Divides in place, like `div_`. */
  div_(other: TensorOrNumber): this {
    assign("div_", this, div(keptFactor(this, other), other));
    return this;
  }

  /** Shape, dtype and device; with the values where they can be read at once. */
  override toString(): string {
    return formatTensor(this);
  }

  /** In templates the text; refused by operators, which JavaScript cannot overload. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") return formatTensor(this);
    const problem = "operators do not take tensors";
    throw stateError("Tensor", problem, "a.add(b), a.gt(b), or await a.item() for the number");
  }

  /** What Deno prints. */
  [Symbol.for("Deno.customInspect")](): string {
    return formatTensor(this);
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return formatTensor(this);
  }
}

/** A gradient by `other` needs the values from before the write: a copy of them, where one is recorded. */
function keptFactor(x: Tensor, other: TensorOrNumber): Tensor {
  const recorded = isGradEnabled() && typeof other === "object" && other.requiresGrad;
  return recorded ? clone(x) : x;
}

function refuseWhileTracing(op: string): void {
  if (currentTrace()) {
    throw stateError(
      op,
      "a compiled function cannot read values while it is traced",
      "return the tensor and read it afterwards",
    );
  }
}

registerCore({
  Tensor: Tensor as unknown as new (storage: Storage, view: View, weak?: boolean) => Tensor,
  add,
  clone,
  convert,
  sumToShape,
  fullOn,
  scalarOn,
});
