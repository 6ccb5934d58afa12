/** Checks of plans: bounds of arrays, order of writes and reads, outputs over inputs. */
import { bytesOf } from "./dtype.ts";
import type { Plan, PlanStep } from "./graph.ts";
import { expressionsOf, type Kernel } from "./kernel.ts";
import { isReadInPlace } from "./memory_alias.ts";
import { loadsOf, outputElements } from "./plan_cost.ts";
import { printPlan } from "./print.ts";
import { Simplifier } from "./simplify.ts";
import { fail, verifyKernel } from "./verify_kernel.ts";

/** Elements past which a range is unknown rather than long. */
const KNOWN = 1 << 30;

/** Bytes of a buffer that are in question. */
interface Span {
  readonly buffer: number;
  readonly start: number;
  readonly end: number;
}

function overlap(a: Span, b: Span): boolean {
  return a.buffer === b.buffer && a.start < b.end && b.start < a.end;
}

/** Throws an `InternalError` where a plan would read or write what it must not. */
export function verifyPlan(plan: Plan): void {
  const written = plan.buffers.map((b) =>
    b.role === "input" || b.role === "state" || b.bytes === 0
  );
  for (const [number, step] of plan.steps.entries()) {
    verifyKernel(step.kernel);
    const wrong = wrongStep(plan, step, written);
    if (wrong) fail(`step ${number} (${step.label}): ${wrong}`, printPlan(plan, "formulas"));
    for (const { buffer } of step.arguments.slice(step.kernel.inputs.length)) {
      written[buffer] = true;
    }
  }
  for (const { buffer } of plan.results) {
    if (written[buffer]) continue;
    fail(`result in ${buffer} is not written`, printPlan(plan, "formulas"));
  }
}

function wrongStep(plan: Plan, step: PlanStep, written: readonly boolean[]): string | undefined {
  const { kernel, arguments: places } = step;
  const count = kernel.inputs.length;
  if (places.length !== count + kernel.outputs.length) return `${places.length} arguments`;
  for (const { buffer, offset } of places) {
    if (!(buffer in plan.buffers)) return `buffer ${buffer}`;
    if (!Number.isInteger(offset) || offset < 0) return `offset ${offset}`;
  }
  const unwritten = places.slice(0, count).findIndex(({ buffer }) => !written[buffer]);
  if (unwritten >= 0) return `input ${unwritten} is read before it is written`;
  const spans = kernel.outputs.map((_, i) => outputSpan(step, i));
  for (const [i, span] of spans.entries()) {
    const { bytes, role } = plan.buffers[span.buffer]!;
    if (span.end > bytes) return `output ${i} ends after its buffer`;
    if (role === "input") return `output ${i} overwrites an input`;
    // Rounds of a sequence move through arrays that they share.
    if (step.loop) continue;
    if (spans.some((other, j) => j < i && overlap(span, other))) return `output ${i} overlaps`;
    const input = wrongAlias(step, i, span);
    if (input !== undefined) return `output ${i} overwrites input ${input} while it is read`;
  }
  return undefined;
}

function outputSpan({ kernel, arguments: places }: PlanStep, output: number): Span {
  const { buffer, offset } = places[kernel.inputs.length + output]!;
  const bytes = bytesOf(kernel.outputs[output]!.dtype);
  const start = offset * bytes;
  return { buffer, start, end: start + outputElements(kernel, output) * bytes };
}

/** An input under the output that is not only read where it is then overwritten. */
function wrongAlias(step: PlanStep, output: number, span: Span): number | undefined {
  const { kernel, arguments: places } = step;
  for (const [i, { dtype }] of kernel.inputs.entries()) {
    const { buffer, offset } = places[i]!;
    if (buffer !== span.buffer) continue;
    const bytes = bytesOf(dtype);
    const size = bytesOf(kernel.outputs[output]!.dtype);
    const same = offset * bytes === span.start && bytes === size;
    if (same && isReadInPlace(kernel, i, output)) continue;
    const range = readRange(kernel, i);
    if (range === undefined) continue;
    const [low, high] = range;
    const read = { buffer, start: (offset + low) * bytes, end: (offset + high + 1) * bytes };
    if (overlap(read, span)) return i;
  }
  return undefined;
}

/** First and last element of an input that is read, where that is known. */
function readRange(kernel: Kernel, slot: number): [number, number] | undefined {
  if (kernel.kind === "sort") return [0, kernel.rows * kernel.length - 1];
  const s = new Simplifier();
  let low = Infinity, high = -Infinity;
  for (const x of loadsOf(expressionsOf(kernel).map((r) => s.simplify(r)), slot)) {
    const range = (x.guard ? s.under(x.guard) : s).range(x.index);
    low = Math.min(low, range[0]);
    high = Math.max(high, range[1]);
  }
  return low < -KNOWN || high > KNOWN || low > high ? undefined : [low, high];
}
