/** Text of tensors for people. */
import { currentTrace } from "./compile/trace.ts";
import { isFloat } from "./ir/dtype.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";

/** Axes longer than this show their first and last three positions. */
const EDGE = 3;
const SUMMARY_ABOVE = 1000;

function formatNumber(x: number, float: boolean): string {
  if (!float) return String(x);
  if (!Number.isFinite(x)) return x !== x ? "nan" : x > 0 ? "inf" : "-inf";
  if (x !== 0 && (Math.abs(x) >= 1e5 || Math.abs(x) < 1e-4)) return x.toExponential(4);
  return Number.isInteger(x) ? `${x}.` : x.toFixed(4);
}

function formatLevel(
  values: ArrayLike<number>,
  shape: readonly number[],
  text: (x: number) => string,
  start: number,
  indent: string,
  summarize: boolean,
): string {
  if (shape.length === 0) return text(values[start]!);
  const [size, ...rest] = shape as [number, ...number[]];
  const step = sizeOf(rest);
  const parts: string[] = [];
  for (let i = 0; i < size; i++) {
    if (summarize && size > 2 * EDGE && i === EDGE) {
      parts.push("…");
      i = size - EDGE;
    }
    parts.push(formatLevel(values, rest, text, start + i * step, `${indent} `, summarize));
  }
  return `[${parts.join(rest.length ? `,\n${indent} ` : ", ")}]`;
}

/** `tensor([[1., 2.]], shape [1, 2], float32, cpu)`; without values where they cannot be read at once. */
export function formatTensor(x: Tensor): string {
  const facts = `shape [${x.shape.join(", ")}], ${x.dtype}, ${x.device}${
    x.requiresGrad ? ", requiresGrad" : ""
  }`;
  if (currentTrace() || !x.storage.buffer) return `tensor(…, ${facts})`;
  let values: ArrayLike<number>;
  try {
    values = x.dataSync();
  } catch {
    return `tensor(…, ${facts})`;
  }
  const numbers = Array.from(values);
  const text = x.dtype === "bool"
    ? (v: number) => v ? "true" : "false"
    : (v: number) => formatNumber(v, isFloat(x.dtype));
  const width = numbers.length <= SUMMARY_ABOVE
    ? Math.max(0, ...numbers.map((v) => text(v).length))
    : 0;
  const padded = (v: number) => text(v).padStart(width);
  const body = formatLevel(numbers, x.shape, padded, 0, "       ", numbers.length > SUMMARY_ABOVE);
  return `tensor(${body}, ${facts})`;
}
