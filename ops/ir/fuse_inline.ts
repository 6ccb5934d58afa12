/** Inlining: a map's value is computed where it is read, and not stored. */
import { bytesOf } from "./dtype.ts";
import type { Expr } from "./expr.ts";
import type { GraphNode, KernelNode, SequenceNode, Value } from "./graph.ts";
import { type Kernel, type KernelOutput, type MapKernel, sizeOf } from "./kernel.ts";
import { dropOutputs, normalizeKernel } from "./fuse_clean.ts";
import type { FusionGraph } from "./fuse_graph.ts";
import {
  CONVOLUTION_ARRAYS,
  inlineInput,
  isConvolution,
  outputIndex,
  SameExpr,
} from "./fuse_kernel.ts";
import { FUSION_LIMITS, type FusionLog, joinLabels } from "./fuse_rules.ts";
import { elementsRead, loadsOf, rootsOf, valueCost } from "./plan_cost.ts";
import { countNodes } from "./simplify.ts";
import { addLinear, linearOf } from "./simplify_linear.ts";

/** A map's output that might be inlined. */
interface Candidate {
  readonly node: KernelNode;
  readonly kernel: MapKernel;
  readonly slot: number;
  readonly value: Value;
  readonly output: KernelOutput;
  readonly elements: number;
  readonly cost: number;
  readonly view: boolean;
}

/** What inlining into one user means. */
interface Use {
  readonly user: KernelNode;
  /** Times an element is computed there in all. */
  readonly points: number;
  /** Bytes of the value that need not be read, less those of its inputs that must be. */
  readonly savedBytes: number;
}

function candidateOf(node: KernelNode, slot: number): Candidate | undefined {
  const { kernel } = node;
  const output = kernel.outputs[slot]!;
  if (kernel.kind !== "map" || output.index !== undefined) return undefined;
  const value = node.outputs[slot]!;
  const elements = sizeOf(value.shape);
  if (elements === 0) return undefined;
  const cost = valueCost(output.value);
  return { node, kernel, slot, value, output, elements, cost, view: isView(output.value) };
}

/** One element, moved: a load whose place does not depend on data, a constant, or a cast of these. */
export function isView(x: Expr): boolean {
  if (x.kind === "const" || x.kind === "axis") return true;
  if (x.kind === "call") return x.op === "cast" && x.args[0]!.kind === "const";
  return x.kind === "load" && loadsOf([x.index, ...(x.guard ? [x.guard] : [])]).length === 0;
}

/** Inlines every map that only moves elements, wherever that is allowed. */
export function inlineViews(graph: FusionGraph, log: FusionLog): boolean {
  let changed = false;
  for (const node of graph.kernelNodes) {
    for (const value of node.outputs) {
      const candidate = candidateOf(node, node.outputs.indexOf(value));
      if (candidate?.view && inlineWhereAllowed(graph, candidate, log)) changed = true;
    }
    finishProducer(graph, node);
  }
  return changed;
}

function inlineWhereAllowed(graph: FusionGraph, candidate: Candidate, log: FusionLog): boolean {
  let changed = false;
  for (const user of [...graph.usesOf(candidate.value)]) {
    if (user.kind === "sequence") changed = shiftInput(graph, candidate, user, log) || changed;
    if (!isEligible(candidate, user)) continue;
    log("view", `${candidate.node.label} into ${user.label}: only moves elements`);
    changed = inlineInto(graph, candidate, user) || changed;
  }
  return changed;
}

/** A sequence reads a contiguous part of an array from the array itself. */
function shiftInput(
  graph: FusionGraph,
  candidate: Candidate,
  user: SequenceNode,
  log: FusionLog,
): boolean {
  const shift = shiftOf(candidate), { value } = candidate.output;
  if (!shift || value.kind !== "load") return false;
  log("view", `${candidate.node.label} into ${user.label}: is a part of an array`);
  graph.shiftInput(user, candidate.value, candidate.node.inputs[value.input]!, shift.offset);
  return true;
}

/** Inlines a map's outputs by their scores; whether anything changed. */
export function inlineMap(graph: FusionGraph, node: KernelNode, log: FusionLog): boolean {
  let changed = false;
  for (const value of [...node.outputs]) {
    const candidate = candidateOf(node, node.outputs.indexOf(value));
    if (!candidate || graph.usesOf(value).size === 0) continue;
    changed = (candidate.view
      ? inlineWhereAllowed(graph, candidate, log)
      : inlineByScore(graph, candidate, log)) || changed;
  }
  if (changed) finishProducer(graph, node);
  return changed;
}

function inlineByScore(graph: FusionGraph, candidate: Candidate, log: FusionLog): boolean {
  const { node, value, cost, elements } = candidate;
  const users = [...graph.usesOf(value)];
  const uses = users.map((user) =>
    isEligible(candidate, user) ? useOf(candidate, user) : undefined
  );
  const allowed = uses.filter((u): u is Use => u !== undefined && isAffordable(candidate, u));
  const whole = allowed.length === users.length && !graph.isPinned(value);
  const read = elementsRead(node.kernel);
  const inputBytes = node.inputs.reduce((sum, v, i) => sum + read[i]! * bytesOf(v.dtype), 0);
  const generator = inputBytes * 16 < elements * bytesOf(value.dtype);
  if (whole) {
    const savedBytes = elements * bytesOf(value.dtype) + inputBytes +
      allowed.reduce((sum, u) => sum + u.savedBytes, 0);
    const points = allowed.reduce((sum, u) => sum + u.points, 0);
    const score = savedBytes * FUSION_LIMITS.costPerByte - cost * (points - elements) +
      FUSION_LIMITS.launchCost;
    // Random bits are computed again instead of stored, as long as that is once per user; what
    // follows from coordinates alone in a few steps is computed rather than loaded.
    const fresh = generator &&
      (cost <= FUSION_LIMITS.trivial || allowed.every((u) => u.points <= elements));
    if (score >= 0 || fresh) {
      const names = users.map((u) => u.label).join(", ");
      log("inline", `${node.label} into ${names}: saves ${savedBytes} bytes, score ${score}`);
      return allowed.map(({ user }) => inlineInto(graph, candidate, user)).some((done) => done);
    }
    log("keep", `${node.label}: inlining would score ${score}`);
  }
  // Stored in any case: some users may still do better without reading it.
  let changed = false;
  for (const { user, savedBytes, points } of allowed) {
    const score = savedBytes * FUSION_LIMITS.costPerByte - cost * points;
    if (score <= 0) continue;
    log("inline", `${node.label} into ${user.label}: saves ${savedBytes} bytes, score ${score}`);
    changed = inlineInto(graph, candidate, user) || changed;
  }
  return changed;
}

/** Whether the rules allow to compute the candidate in a user at all. */
function isEligible(candidate: Candidate, user: GraphNode): user is KernelNode {
  if (user.kind !== "kernel" || user.kernel.kind === "sort") return false;
  const slot = user.inputs.indexOf(candidate.value);
  const inOperand = rootsOf(user.kernel).some((r) =>
    r.operand && loadsOf([r.expr], slot).length > 0
  );
  if (inOperand) {
    if (!candidate.view) return false;
    if (plainArrayOf(user.kernel, slot) && !shiftOf(candidate)) return false;
  }
  return user.inputs.length + candidate.kernel.inputs.length + user.outputs.length - 1 <=
    FUSION_LIMITS.buffers;
}

/** Which array of a convolution an input is, if the convolution reads it as a plain array. */
function plainArrayOf(
  kernel: Kernel,
  slot: number,
): (typeof CONVOLUTION_ARRAYS)[number] | undefined {
  if (!isConvolution(kernel)) return undefined;
  return CONVOLUTION_ARRAYS.find((name) => kernel.convolution[name] === slot);
}

/** For a map that hands on a contiguous part of an array: where that part starts. */
function shiftOf({ kernel, output }: Candidate): { offset: number } | undefined {
  const { value } = output;
  if (value.kind !== "load" || value.guard) return undefined;
  const same = new SameExpr();
  const place = linearOf(same.of(value.index)),
    plain = linearOf(same.of(outputIndex(kernel, output)));
  const difference = addLinear(place, plain, -1);
  return difference.terms.length === 0 ? { offset: difference.constant } : undefined;
}

function useOf({ kernel, node, value, elements }: Candidate, user: KernelNode): Use {
  const slot = user.inputs.indexOf(value);
  let points = 0;
  for (const r of rootsOf(user.kernel)) points += loadsOf([r.expr], slot).length * r.points;
  const size = bytesOf(value.dtype);
  const saved = elementsRead(user.kernel)[slot]! * size;
  // The part of the producer's inputs that the user will read, where it does not read them already.
  const share = Math.min(1, points / elements);
  const read = elementsRead(kernel);
  let extra = 0;
  for (const [i, input] of node.inputs.entries()) {
    if (!user.inputs.includes(input)) extra += read[i]! * bytesOf(input.dtype) * share;
  }
  return { user, points, savedBytes: saved - extra };
}

/** An expensive value must not be computed many times over. */
function isAffordable({ cost, elements }: Candidate, { points }: Use): boolean {
  const extra = cost * (points - elements);
  return cost <= FUSION_LIMITS.cheap || points <= elements * 1.5 ||
    extra <= FUSION_LIMITS.launchCost;
}

function inlineInto(graph: FusionGraph, candidate: Candidate, user: KernelNode): boolean {
  const { node, kernel, value, output } = candidate;
  const slot = user.inputs.indexOf(value);
  const array = plainArrayOf(user.kernel, slot);
  let result = inlineInput(user.kernel, slot, kernel, output);
  if (array && isConvolution(result) && output.value.kind === "load") {
    const { convolution } = result;
    const start = convolution[`${array}Offset`] + shiftOf(candidate)!.offset;
    const input = user.inputs.length + output.value.input;
    result = {
      ...result,
      convolution: { ...convolution, [array]: input, [`${array}Offset`]: start },
    };
  }
  result = normalizeKernel(result);
  if (countNodes(rootsOf(result).map((r) => r.expr)) > FUSION_LIMITS.nodes) return false;
  graph.change(user, result, [...user.inputs, ...node.inputs], user.outputs);
  if (!candidate.view) user.label = joinLabels(node.label, user.label);
  return true;
}

/** Removes what is no longer needed of a producer. */
function finishProducer(graph: FusionGraph, node: KernelNode): void {
  if (node.outputs.some((v) => graph.isNeeded(v))) dropOutputs(graph, node);
  else graph.remove(node);
}
