/**
 * Definition of operations: shape rule, lowering to a kernel and gradient in one place, and `apply`,
 * the one way to run them, eager or traced.
 */
import { type GradientContext, recordGradient, type SavePolicy } from "./autograd.ts";
import { checkNan } from "./anomaly.ts";
import { core, isContiguous, wholeTensor } from "./base.ts";
import type { Backend, CompiledKernel } from "./backends/backend.ts";
import { argumentName, broadcastShapes, checkDtype, checkStorable, DeviceError } from "./check.ts";
import { compileEager, runEagerKernel } from "./compile/eager.ts";
import { allocateStorage } from "./compile/storage.ts";
import { currentTrace, type Trace } from "./compile/trace.ts";
import { categoryOf, type DType, isFloat, promoteTypes } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { type Kernel, sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";

/** Values that a definition can be parameterised with; they become part of the kernel. */
export type Attribute =
  | number
  | string
  | boolean
  | undefined
  | null
  | readonly Attribute[]
  | { readonly [name: string]: Attribute };

/** What a lowering knows of an input. */
export interface Operand {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The element at coordinates, as an expression over the kernel's axes. */
  at(coordinates: readonly Expr[], guard?: Expr | undefined): Expr;
  /** Elements between neighbours along each axis. */
  readonly strides: readonly number[];
  /** Whether elements lie row-major without gaps. */
  readonly contiguous: boolean;
  /** Element of the bound array at which coordinates 0, 0, … lie. */
  readonly base: number;
  /** Input slot in the kernel. */
  readonly slot: number;
}

/** A kernel and the shapes of its outputs. */
export interface Lowered {
  readonly kernel: Kernel;
  readonly shapes: readonly (readonly number[])[];
}

/** How random tests draw an input: interval, dtype, shape hint. */
export interface Domain {
  readonly low: number;
  readonly high: number;
}

/** An operation that runs as one kernel. */
export interface OpDefinition<A extends Attribute = Attribute> {
  readonly name: string;
  /** Kernel for operands; shapes and dtypes have been checked by the public function. */
  readonly lower: (operands: readonly Operand[], attributes: A) => Lowered;
  /** Gradients of the inputs in order; `undefined` where none flows. */
  readonly gradient?:
    | ((context: GradientContext<A>) => readonly (Tensor | undefined)[])
    | undefined;
  /** What `gradient` reads; everything else is not kept. Default `"inputs"`. */
  readonly saves?: SavePolicy | undefined;
}

const definitions: OpDefinition<never>[] = [];

/** Every definition so far; tests walk it. */
export function allDefinitions(): readonly OpDefinition<never>[] {
  return definitions;
}

/** Registers an operation. */
export function defineOp<A extends Attribute>(definition: OpDefinition<A>): OpDefinition<A> {
  definitions.push(definition as OpDefinition<never>);
  return definition;
}

/** Adds negative steps up, so that indices are never negative. */
function lowestOffset(shape: readonly number[], strides: readonly number[]): number {
  let shift = 0;
  for (const [d, stride] of strides.entries()) {
    if (stride < 0) shift -= stride * Math.max(0, shape[d]! - 1);
  }
  return shift;
}

function operandOf(x: Tensor, slot: number, base: number): Operand {
  const { dtype, shape, strides } = x;
  return {
    dtype,
    shape,
    strides,
    slot,
    contiguous: isContiguous(x),
    base,
    at(coordinates, guard) {
      const index = e.add(e.strided(coordinates, strides), e.int(base));
      return e.load(slot, dtype, index, guard);
    },
  };
}

interface CachedKernel {
  readonly compiled: CompiledKernel;
  readonly shapes: readonly (readonly number[])[];
}

/** Text of attributes that keeps what JSON would merge: NaN, infinities, minus zero, undefined. */
export function attributeKey(attribute: Attribute): string {
  if (typeof attribute === "number") return Object.is(attribute, -0) ? "-0" : String(attribute);
  if (typeof attribute === "string") return JSON.stringify(attribute);
  if (typeof attribute !== "object" || attribute === null) return String(attribute);
  if (Array.isArray(attribute)) return `[${attribute.map(attributeKey).join(",")}]`;
  const entries = Object.entries(attribute as Readonly<Record<string, Attribute>>);
  return `{${entries.map(([name, value]) => `${name}:${attributeKey(value)}`).join(",")}}`;
}

/** Lowered eager kernels by full structural text. */
const eagerCache = new Map<string, CachedKernel>();

/** More distinct shapes than this mean a program whose shapes never repeat; start over. */
const EAGER_CACHE_LIMIT = 20_000;

function runEager<A extends Attribute>(
  op: OpDefinition<A>,
  backend: Backend,
  inputs: readonly Tensor[],
  attributes: A,
): Tensor[] {
  const shifts = inputs.map((x) => lowestOffset(x.shape, x.strides));
  let key = `${backend.name}|${op.name}|${attributeKey(attributes)}`;
  for (const x of inputs) key += `|${x.dtype}:${x.shape.join(",")}:${x.strides.join(",")}`;
  let cached = eagerCache.get(key);
  if (!cached) {
    const operands = inputs.map((x, slot) => operandOf(x, slot, shifts[slot]!));
    const lowered = op.lower(operands, attributes);
    checkOutputs(op.name, lowered.kernel, backend);
    cached = { compiled: compileEager(backend, lowered.kernel), shapes: lowered.shapes };
    if (eagerCache.size >= EAGER_CACHE_LIMIT) eagerCache.clear();
    eagerCache.set(key, cached);
  }
  const { compiled, shapes } = cached;
  const outputs = compiled.kernel.outputs.map((output, i) =>
    wholeTensor(allocateStorage(backend, output.dtype, sizeOf(shapes[i]!)), shapes[i]!)
  );
  const offsets = inputs.map((x, i) => x.offset - shifts[i]!);
  runEagerKernel(backend, compiled, inputs.map((x) => x.storage), offsets, outputs, op.name);
  return outputs;
}

function checkOutputs(op: string, { outputs }: Kernel, backend: Backend): void {
  for (const { dtype } of outputs) checkStorable(op, dtype, backend);
}

function runTraced<A extends Attribute>(
  trace: Trace,
  op: OpDefinition<A>,
  inputs: readonly Tensor[],
  attributes: A,
): Tensor[] {
  const operands = inputs.map((x, slot) => operandOf(x, slot, x.offset));
  const { kernel, shapes } = op.lower(operands, attributes);
  checkOutputs(op.name, kernel, trace.backend);
  const values = trace.kernel(kernel, inputs.map((x) => trace.valueOf(x.storage)), shapes, op.name);
  return values.map((value, i) => wholeTensor(trace.storageOf(value), shapes[i]!));
}

/** The device that all inputs share. @throws {DeviceError} If they do not. */
export function commonBackend(op: string, inputs: readonly Tensor[]): Backend {
  const backend = inputs[0]!.storage.backend;
  for (const x of inputs) {
    if (x.storage.backend !== backend) {
      const facts = Object.fromEntries(inputs.map((t, i) => [argumentName(i), t.device]));
      throw new DeviceError(
        op,
        "tensors are on different devices",
        facts,
        "move one with await toDevice()",
      );
    }
  }
  return backend;
}

/** Runs an operation and gives all its outputs; the first input (or `backend`) names the device. */
export function applyAll<A extends Attribute>(
  op: OpDefinition<A>,
  inputs: readonly Tensor[],
  attributes: A,
  backend?: Backend | undefined,
): Tensor[] {
  const device = backend ?? commonBackend(op.name, inputs);
  const trace = currentTrace();
  const outputs = trace && trace.backend === device
    ? runTraced(trace, op, inputs, attributes)
    : runEager(op, device, inputs, attributes);
  checkNan(op.name, outputs, inputs);
  if (op.gradient) {
    recordGradient(op.name, attributes, op.gradient, inputs, outputs, op.saves ?? "inputs");
  }
  return outputs;
}

/** Runs an operation with one output. */
export function apply<A extends Attribute>(
  op: OpDefinition<A>,
  inputs: readonly Tensor[],
  attributes: A,
  backend?: Backend | undefined,
): Tensor {
  return applyAll(op, inputs, attributes, backend)[0]!;
}

/** A definition whose value is a function of one element of each input. */
export interface ElementwiseDefinition {
  readonly name: string;
  /** Accepted dtypes: floats (integers are converted to float32 first), numbers, or anything. */
  readonly dtypes: "float" | "number" | "any" | "integral";
  /** The function; arguments have been converted to the common dtype. */
  readonly scalar: (...x: Expr[]) => Expr;
  /** Gradients of the inputs, in terms of ops; broadcasting and dtypes are handled for it. */
  readonly gradient?:
    | ((context: GradientContext<ElementwiseAttributes>) => readonly (Tensor | undefined)[])
    | undefined;
  readonly saves?: SavePolicy | undefined;
  /** Where random tests draw inputs. */
  readonly domain: readonly [number, number];
  /** Number of inputs. @default scalar.length */
  readonly arity?: number | undefined;
}

/** The common dtype is part of the kernel. */
export interface ElementwiseAttributes {
  readonly [name: string]: Attribute;
  readonly dtype: DType;
}

/** An elementwise operation as `applyElementwise` takes it. */
export interface ElementwiseOp {
  readonly definition: ElementwiseDefinition;
  readonly op: OpDefinition<ElementwiseAttributes>;
}

const elementwiseOps: ElementwiseOp[] = [];

/** Every elementwise operation; tests walk it. */
export function allElementwise(): readonly ElementwiseOp[] {
  return elementwiseOps;
}

function broadcastCoordinates(operand: Operand, axes: readonly Expr[]): Expr[] {
  const skip = axes.length - operand.shape.length;
  return operand.shape.map((size, d) => size === 1 ? e.int(0) : axes[skip + d]!);
}

/** Defines an elementwise operation with broadcasting and type promotion. */
export function defineElementwise(definition: ElementwiseDefinition): ElementwiseOp {
  const { name, gradient } = definition;
  const op = defineOp<ElementwiseAttributes>({
    name,
    lower(operands, { dtype }) {
      const shape = broadcastShapes(name, operands.map((x) => x.shape));
      const axes = e.axesOf(shape);
      const values = operands.map((x) => e.cast(x.at(broadcastCoordinates(x, axes)), dtype));
      const value = definition.scalar(...values);
      const inputs = operands.map((x) => ({ dtype: x.dtype }));
      const outputs = [{ dtype: value.dtype, value, index: undefined }];
      return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
    },
    gradient: gradient && ((context) => {
      const grads = gradient(context);
      return grads.map((g, i) =>
        g && context.needs(i)
          ? core().convert(core().sumToShape(g, context.inputShape(i)), context.inputDtype(i))
          : undefined
      );
    }),
    saves: definition.saves,
  });
  const elementwise = { definition, op };
  elementwiseOps.push(elementwise);
  return elementwise;
}

/**
 * Common dtype of tensors by PyTorch's rules: a number or a 0-dimensional tensor widens others only
 * across categories (bool < integer < float).
 */
export function resultType(inputs: readonly Tensor[]): DType {
  let result: DType | undefined;
  const tiers = [
    inputs.filter((x) => !x.weak && x.ndim > 0),
    inputs.filter((x) => !x.weak && x.ndim === 0),
    inputs.filter((x) => x.weak),
  ];
  for (const tier of tiers) {
    let dtype: DType | undefined;
    for (const x of tier) dtype = dtype ? promoteTypes(dtype, x.dtype) : x.dtype;
    if (dtype && (!result || categoryOf(dtype) > categoryOf(result))) result = dtype;
  }
  return result!;
}

/** A tensor, or a number that takes the dtype and device of the tensors around it. */
export type TensorOrNumber = Tensor | number | boolean;

/** Runs an elementwise operation on tensors and numbers. */
export function applyElementwise(op: ElementwiseOp, args: readonly TensorOrNumber[]): Tensor {
  const { name, dtypes } = op.definition;
  const inputs = asTensors(name, args);
  let dtype = resultType(inputs);
  if (dtypes === "float" && !isFloat(dtype)) dtype = "float32";
  if (dtypes === "number" && dtype === "bool") dtype = "int32";
  if (dtypes === "integral") checkDtype(name, dtype, ["bool", "int32", "uint32"]);
  broadcastShapes(name, inputs.map((x) => x.shape));
  return apply(op.op, inputs, { dtype });
}

/** Turns numbers into tensors beside the tensors among the arguments. */
export function asTensors(name: string, args: readonly TensorOrNumber[]): Tensor[] {
  const first = args.find((x): x is Tensor => typeof x === "object");
  if (!first) throw new DeviceError(name, "at least one argument must be a tensor");
  const floating = args.find((x): x is Tensor => typeof x === "object" && isFloat(x.dtype));
  const { backend } = first.storage;
  const context = floating?.dtype ?? first.dtype;
  return args.map((x) => typeof x === "object" ? x : core().scalarOn(backend, x, context));
}
