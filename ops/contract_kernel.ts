/** The contraction that all matrix products are. */
import { apply, type Attribute, defineOp, type Operand } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import type { Tensor } from "./tensor.ts";

interface ContractAttributes {
  readonly [name: string]: Attribute;
  /** One letter per axis: shared by all three is batch, missing in `out` is summed. */
  readonly a: string;
  readonly b: string;
  readonly out: string;
}

function sizesOf(
  operands: readonly Operand[],
  attributes: ContractAttributes,
): Map<string, number> {
  const sizes = new Map<string, number>();
  for (
    const [operand, labels] of [[operands[0]!, attributes.a], [operands[1]!, attributes.b]] as const
  ) {
    for (const [d, label] of [...labels].entries()) sizes.set(label, operand.shape[d]!);
  }
  return sizes;
}

const CONTRACT = defineOp<ContractAttributes>({
  name: "matmul",
  lower(operands, attributes) {
    const { a, b, out } = attributes;
    const [x, y] = operands as [Operand, Operand];
    const sizes = sizesOf(operands, attributes);
    const batch = [...out].filter((l) => a.includes(l) && b.includes(l));
    const m = [...out].filter((l) => a.includes(l) && !b.includes(l));
    const n = [...out].filter((l) => !a.includes(l) && b.includes(l));
    const k = [...a].filter((l) => !out.includes(l));
    const axes = new Map<string, Expr>();
    for (const [i, l] of [...batch, ...m, ...n, ...k].entries()) {
      axes.set(l, e.axis(i, sizes.get(l)!));
    }
    const coordinates = (labels: string) => [...labels].map((l) => axes.get(l)!);
    const dims = (labels: readonly string[]) => labels.map((l) => sizes.get(l)!);
    const shape = dims([...out]);
    const dtype = x.dtype;
    const accumulator = e.acc(0, dtype);
    const kernel = {
      kind: "contract" as const,
      batch: dims(batch),
      m: dims(m),
      n: dims(n),
      k: dims(k),
      inputs: [{ dtype }, { dtype }],
      a: x.at(coordinates(a)),
      b: y.at(coordinates(b)),
      dtype,
      outputs: [{ dtype, value: accumulator, index: e.ravel(coordinates(out), shape) }],
      convolution: undefined,
    };
    return { kernel, shapes: [shape] };
  },
  gradient: (c) => {
    const { a, b, out } = c.attributes;
    return [
      c.needs(0) ? contract(c.grad(), c.input(1), out, b, a) : undefined,
      c.needs(1) ? contract(c.input(0), c.grad(), a, out, b) : undefined,
    ];
  },
});

/**
 * `out[…] = Σ a[…] · b[…]` over the letters that `out` lacks. Every letter of an operand must occur in
 * the other or in `out`; no letter repeats within one.
 */
export function contract(x: Tensor, y: Tensor, a: string, b: string, out: string): Tensor {
  return apply(CONTRACT, [x, y], { a, b, out });
}

/** Names of axes. */
export const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
