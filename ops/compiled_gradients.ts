/** Gradients that a compiled function leaves behind in `grad`. */
import { isContiguous, makeTensor, wholeTensor } from "./base.ts";
import { allocateStorage, type Storage } from "./compile/storage.ts";
import type { Trace } from "./compile/trace.ts";
import { wholeValue } from "./compiled_values.ts";
import type { PackNode, Value } from "./ir/graph.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";

/** What happens to `grad` of a tensor after a replay. */
export interface GradientEffect {
  readonly holder: Tensor;
  /** The tensor that holds it, or nothing when it was cleared. */
  readonly after: Tensor | undefined;
}

/** The pack that lays a gradient beside the others, and where in it the gradient lies. */
function packOf(trace: Trace, value: Value): { node: PackNode; offset: number } | undefined {
  for (const node of trace.nodes) {
    if (node.kind !== "pack") continue;
    const at = node.inputs.indexOf(value);
    if (at >= 0) return { node, offset: node.offsets[at]! };
  }
  return undefined;
}

/**
 * Gradients that the function leaves in `grad` get arrays that live on. Where a pack holds them (the
 * optimizer's flat gradient) they become views of it, so that keeping them costs no copy.
 */
export function keepGradients(trace: Trace): GradientEffect[] {
  const effects: GradientEffect[] = [];
  const packs = new Map<PackNode, Storage>();
  const shared = new Map<Storage, Storage>();
  for (const [holder, before] of trace.gradients) {
    const tensor = holder as Tensor;
    const after = tensor.grad;
    if (after === before || (after && after.storage.buffer)) continue;
    if (!after) {
      effects.push({ holder: tensor, after });
      continue;
    }
    if (after.storage.size > after.numel && isContiguous(after)) {
      effects.push({ holder: tensor, after: viewOfShared(trace, shared, after) });
      continue;
    }
    const value = wholeValue(trace, after);
    const pack = packOf(trace, value);
    const keep = pack
      ? viewOfPack(trace, packs, pack, after)
      : ownArray(trace, value, after, before as Tensor | undefined);
    effects.push({ holder: tensor, after: keep });
  }
  return effects;
}

/** Gradients that are views of one array (clipped ones) stay views of it. */
function viewOfShared(trace: Trace, shared: Map<Storage, Storage>, after: Tensor): Tensor {
  let storage = shared.get(after.storage);
  if (!storage) {
    storage = allocateStorage(trace.backend, after.dtype, after.storage.size);
    trace.adopt(storage, trace.valueOf(after.storage));
    shared.set(after.storage, storage);
  }
  return makeTensor(storage, after);
}

function viewOfPack(
  trace: Trace,
  packs: Map<PackNode, Storage>,
  { node, offset }: { node: PackNode; offset: number },
  after: Tensor,
): Tensor {
  let storage = packs.get(node);
  if (!storage) {
    storage = allocateStorage(trace.backend, after.dtype, sizeOf(node.outputs[0].shape));
    trace.adopt(storage, node.outputs[0]);
    packs.set(node, storage);
  }
  const whole = wholeTensor(storage, [storage.size]);
  const flat = whole.slice(0, offset, offset + sizeOf(after.shape));
  return flat.reshape(after.shape);
}

function ownArray(
  trace: Trace,
  value: Value,
  after: Tensor,
  before: Tensor | undefined,
): Tensor {
  const reusable = before?.storage.buffer && isContiguous(before) && before.offset === 0 &&
    before.storage.size === sizeOf(after.shape) && before.dtype === after.dtype;
  if (reusable) {
    trace.assign(before.storage, value);
    return before;
  }
  const storage = allocateStorage(trace.backend, after.dtype, sizeOf(after.shape));
  trace.adopt(storage, value);
  return wholeTensor(storage, after.shape);
}

/** Conditions on gradients that the function read before writing them. */
export function gradientGuards(trace: Trace, proxies: readonly Tensor[]): (() => boolean)[] {
  const guards: (() => boolean)[] = [];
  for (const [holder, before] of trace.gradients) {
    const tensor = holder as Tensor;
    if (proxies.includes(tensor)) continue;
    const read = (before as Tensor | undefined)?.storage;
    // A gradient that was replaced without being read does not matter.
    if (read && read.traced?.trace === trace.number) {
      guards.push(() => tensor.grad?.storage === read);
    } else if (!read) {
      guards.push(() => !gradientMattered(trace, tensor) || tensor.grad === undefined);
    }
  }
  return guards;
}

/** Whether the function reads `grad` before it writes it; clearing it first makes it irrelevant. */
function gradientMattered(trace: Trace, tensor: Tensor): boolean {
  return !trace.clearedGradients.has(tensor);
}
