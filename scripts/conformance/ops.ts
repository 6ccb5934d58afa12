/** Runs cases of single operations: results, then gradients. */
import * as core from "../../ops/mod.ts";
import { type DeviceName, Tensor } from "../../ops/mod.ts";
import { isFloat } from "../../ops/ir/dtype.ts";
import {
  type Case,
  type CaseFile,
  decode,
  decodeTensor,
  type EncodedTensor,
  isEncodedTensor,
  type Outcome,
  tensorsIn,
} from "./cases.ts";
import { Comparison } from "./compare.ts";
import { LINALG_ROWS } from "./op_linalg.ts";
import { MATH_ROWS } from "./op_math.ts";
import { NN_ROWS } from "./op_nn.ts";
import { parametersOf, type Row } from "./parameters.ts";
import { SHAPE_ROWS } from "./op_shape.ts";

const ROWS: Record<string, Row> = { ...MATH_ROWS, ...SHAPE_ROWS, ...NN_ROWS, ...LINALG_ROWS };

/** Ops whose factors are unique up to signs of columns: which outputs carry them, and on which axis. */
const SIGNED: Record<string, readonly (readonly [output: number, axis: -1 | -2])[]> = {
  "linalg.svd": [[0, -1], [2, -2]],
  "linalg.qr": [[0, -1], [1, -2]],
  "linalg.eigh": [[1, -1]],
};

/** Outputs that are only unique as a set of equal values are not compared at these places. */
const UNCOMPARED: Record<string, readonly number[]> = {
  // Rank and singular values are functions of their own here.
  "linalg.lstsq": [2, 3],
};

function call(name: string, args: readonly unknown[], kwargs: Record<string, unknown>): unknown {
  const row = ROWS[name];
  if (row) return row.call(parametersOf(row.signature, args, kwargs));
  const short = name.replace(/^nn\.functional\./, "");
  const camel = short.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());
  const f = (core as Readonly<Record<string, unknown>>)[camel];
  if (typeof f !== "function") throw new Error(`no function for "${name}"`);
  const { ...options } = parametersOf("", [], kwargs);
  return f(...args, ...(Object.keys(options).length ? [options] : []));
}

function outputsOf(result: unknown): unknown[] {
  if (result instanceof Tensor) return [result];
  if (Array.isArray(result)) return result;
  if (typeof result === "object" && result !== null) return Object.values(result);
  return [result];
}

/** Flips columns whose sign differs from the reference's. */
async function alignSigns(
  outputs: readonly unknown[],
  wanted: readonly unknown[],
  places: readonly (readonly [number, -1 | -2])[],
): Promise<unknown[]> {
  const aligned = [...outputs];
  const [first, axis] = places[0]!;
  const got = outputs[first], target = wanted[first];
  if (!(got instanceof Tensor) || !isEncodedTensor(target) || got.numel === 0) return aligned;
  const reference = decodeTensor(target);
  const agreement = got.detach().mul(reference).sum(axis === -1 ? -2 : -1, { keepdim: true });
  const sign = core.where(agreement.lt(0), -1, 1).to("float32");
  await sign.data();
  for (const [place, along] of places) {
    const output = aligned[place] as Tensor;
    let flips = along === axis ? sign : sign.transpose(-2, -1);
    const size = output.size(along), have = flips.size(along);
    if (size > have) {
      flips = core.cat([
        flips,
        core.ones(flips.shape.with(along, size - have)),
      ], along);
    } else if (size < have) flips = flips.narrow(along, 0, size);
    aligned[place] = output.mul(flips);
  }
  return aligned;
}

async function compareGradients(
  comparison: Comparison,
  outputs: readonly unknown[],
  inputs: readonly Tensor[],
  current: Case,
): Promise<void> {
  const gradOut = current.gradOut;
  const seeds = Array.isArray(gradOut) ? gradOut : [gradOut];
  const floats = outputs.filter((y): y is Tensor => y instanceof Tensor && isFloat(y.dtype));
  for (const [i, seed] of seeds.entries()) {
    const output = floats[i];
    if (!output || !isEncodedTensor(seed) || !output.requiresGrad) continue;
    output.backward({ gradient: decodeTensor(seed), retainGraph: true });
  }
  for (const [i, wanted] of (current.grads as unknown[]).entries()) {
    if (wanted === null) continue;
    const input = inputs[i]!;
    await comparison.value(`grad ${i}`, input.grad ?? core.zerosLike(input), wanted);
  }
}

/** Dropped elements depend on the generator, so only shapes can be compared. */
function sameShapes(
  comparison: Comparison,
  outputs: readonly unknown[],
  wanted: readonly unknown[],
): Outcome {
  for (const [i, output] of wanted.entries()) {
    comparison.shape(`out ${i}`, (outputs[i] as Tensor).shape, output as EncodedTensor);
  }
  return comparison.outcome;
}

/** Runs one case. */
export async function run(
  file: CaseFile,
  index: number,
  _device: DeviceName,
): Promise<Outcome> {
  const name = file.name.slice("op.".length);
  const current = file.cases[index]!;
  const args = decode(current.args) as unknown[];
  const kwargs = decode(current.kwargs) as Record<string, unknown>;
  const inputs = tensorsIn([args, kwargs]);
  const differentiable = Array.isArray(current.grads);
  if (differentiable) {
    for (const x of inputs) if (isFloat(x.dtype)) x.setRequiresGrad(true);
  }
  const wanted = Array.isArray(current.out) ? current.out : [current.out];
  let outputs = outputsOf(await call(name, args, kwargs));
  const comparison = new Comparison(file.name);
  if (SIGNED[name]) outputs = await alignSigns(outputs, wanted, SIGNED[name]);
  if (kwargs.dropout_p) return sameShapes(comparison, outputs, wanted);
  for (const [i, output] of wanted.entries()) {
    if (UNCOMPARED[name]?.includes(i)) continue;
    // Which residuals there are depends on LAPACK's driver.
    if (name === "linalg.lstsq" && i === 1 && outputs[i] === undefined) continue;
    const label = wanted.length > 1 ? `out ${i}` : "out";
    if (name === "linalg.svd" && i !== 1) {
      const size = (outputs[1] as Tensor).size(-1);
      const reference = decodeTensor(output as EncodedTensor);
      await comparison.part(label, outputs[i] as Tensor, reference, i ? -2 : -1, size);
    } else await comparison.value(label, outputs[i], output);
  }
  if (differentiable) await compareGradients(comparison, outputs, inputs, current);
  return comparison.outcome;
}
