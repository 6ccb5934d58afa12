/** Einstein summation and what is composed of it. */
import { diagonal } from "./arrange.ts";
import { ShapeError } from "./check.ts";
import { contract, LETTERS } from "./contract_kernel.ts";
import { sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { expand, permute } from "./view.ts";

/** Sums of products over the last axes of both, like `torch.inner`. */
export function inner(input: Tensor, other: Tensor): Tensor {
  if (input.ndim === 0 || other.ndim === 0) return input.mul(other);
  if (input.size(-1) !== other.size(-1)) {
    throw new ShapeError("inner", "last sizes differ", { input: input.shape, other: other.shape });
  }
  const a = LETTERS.slice(0, input.ndim - 1),
    b = LETTERS.slice(input.ndim - 1, input.ndim + other.ndim - 2);
  return einsum(`${a}Z,${b}Z->${a}${b}`, input, other);
}

/** Sum of products over `dims` axes (the last of `input` with the first of `other`, or two lists), like `torch.tensordot`. */
export function tensordot(
  input: Tensor,
  other: Tensor,
  dims: number | readonly [readonly number[], readonly number[]] = 2,
): Tensor {
  const count = typeof dims === "number" ? dims : 0;
  const [left, right] = typeof dims === "number"
    ? [
      Array.from({ length: count }, (_, i) => input.ndim - count + i),
      Array.from({ length: count }, (_, i) => i),
    ]
    : [
      dims[0].map((d) => d < 0 ? d + input.ndim : d),
      dims[1].map((d) => d < 0 ? d + other.ndim : d),
    ];
  const a = [...LETTERS.slice(0, input.ndim)];
  const b = [...LETTERS.slice(input.ndim, input.ndim + other.ndim)];
  for (const [i, d] of right.entries()) b[d] = a[left[i]!]!;
  const out = [...a.filter((_, d) => !left.includes(d)), ...b.filter((_, d) => !right.includes(d))];
  return einsum(`${a.join("")},${b.join("")}->${out.join("")}`, input, other);
}

/** Replaces `...` by letters, and gives the output its default. */
function parseEquation(
  equation: string,
  operands: readonly Tensor[],
): { inputs: string[]; out: string } {
  const compact = equation.replaceAll(" ", "");
  const [left, right] = compact.split("->") as [string, string | undefined];
  const inputs = left.split(",");
  if (inputs.length !== operands.length) {
    throw new ShapeError(
      "einsum",
      `the equation names ${inputs.length} operands, ${operands.length} were given`,
    );
  }
  const used = new Set(compact);
  const free = [...LETTERS].filter((l) => !used.has(l));
  const widths = inputs.map((labels, i) =>
    labels.includes("...") ? operands[i]!.ndim - (labels.length - 3) : 0
  );
  const wide = free.slice(0, Math.max(0, ...widths)).join("");
  const fill = (labels: string, width: number) =>
    labels.replace("...", width ? wide.slice(wide.length - width) : "");
  const filled = inputs.map((labels, i) => fill(labels, widths[i]!));
  for (const [i, labels] of filled.entries()) {
    if (labels.length !== operands[i]!.ndim) {
      throw new ShapeError("einsum", `"${inputs[i]}" names ${labels.length} dimensions`, {
        [`operand ${i}`]: operands[i]!.shape,
      });
    }
  }
  const counts = new Map<string, number>();
  for (const l of filled.join("")) counts.set(l, (counts.get(l) ?? 0) + 1);
  const implicit = wide +
    [...counts].filter(([l, n]) => n === 1 && !wide.includes(l)).map(([l]) => l).sort().join("");
  return { inputs: filled, out: right === undefined ? implicit : fill(right, wide.length) };
}

/** Letters that repeat within one operand become its diagonal. */
function takeDiagonals(x: Tensor, labels: string): [Tensor, string] {
  for (const l of labels) {
    const first = labels.indexOf(l), second = labels.indexOf(l, first + 1);
    if (second < 0) continue;
    const rest = [...labels].filter((_, d) => d !== first && d !== second).join("") + l;
    return takeDiagonals(diagonal(x, 0, first, second), rest);
  }
  return [x, labels];
}

/** Sums away the letters that nobody else needs. */
function sumUnused(x: Tensor, labels: string, needed: string): [Tensor, string] {
  const drop = [...labels].map((_, d) => d).filter((d) => !needed.includes(labels[d]!));
  if (!drop.length) return [x, labels];
  return [sum(x, drop), [...labels].filter((l) => needed.includes(l)).join("")];
}

/**
 * Einstein summation, like `torch.einsum`: letters name axes, those missing on the right are summed.
 *
 * @param equation Such as `"bij,bjk->bik"`; `...` stands for leading axes.
 * @param operands One tensor per term.
 * @returns The sum of products.
 *
 * @example
 * ```ts
 * import { einsum, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const m = tensor([[1, 2], [3, 4]]);
 * assertEquals(await einsum("ii->", m).item(), 5);
 * ```
 */
export function einsum(equation: string, ...operands: Tensor[]): Tensor {
  const { inputs, out } = parseEquation(equation, operands);
  const terms = operands.map((x, i) => takeDiagonals(x, inputs[i]!));
  let [result, labels] = terms[0]!;
  for (let i = 1; i < terms.length; i++) {
    const later = terms.slice(i + 1).map((t) => t[1]).join("") + out;
    const [x, xLabels] = sumUnused(result, labels, terms[i]![1] + later);
    const [y, yLabels] = sumUnused(terms[i]![0], terms[i]![1], xLabels + later);
    const both = [...new Set(xLabels + yLabels)].filter((l) => later.includes(l)).join("");
    [result, labels] = [contractBroadcast(x, y, xLabels, yLabels, both), both];
  }
  [result, labels] = sumUnused(result, labels, out);
  return permute(result, [...out].map((l) => labels.indexOf(l)));
}

/** Contraction in which shared axes of size 1 broadcast. */
function contractBroadcast(x: Tensor, y: Tensor, a: string, b: string, out: string): Tensor {
  const sizes = new Map<string, number>();
  for (const [t, labels] of [[x, a], [y, b]] as const) {
    for (const [d, l] of [...labels].entries()) {
      if (t.shape[d] !== 1 || !sizes.has(l)) sizes.set(l, t.shape[d]!);
    }
  }
  const wide = (t: Tensor, labels: string) => expand(t, [...labels].map((l) => sizes.get(l)!));
  return contract(wide(x, a), wide(y, b), a, b, out);
}
