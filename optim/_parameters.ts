import { Tensor } from "../ops/mod.ts";
import { stateError } from "../ops/check.ts";

/**
 * Refuses what no optimizer can train.
 *
 * @param optimizer Name in messages.
 * @param params The parameters.
 * @param known Those that the optimizer has already; the new ones are added.
 * @throws {Error} If one appears twice, is computed, or has no gradient.
 */
export function checkParameters(
  optimizer: string,
  params: readonly Tensor[],
  known: Set<Tensor> = new Set(),
): void {
  for (const p of params) {
    if (!(p instanceof Tensor)) {
      throw stateError(optimizer, "a parameter is no tensor", "pass module.parameters()");
    }
    if (known.has(p)) throw stateError(optimizer, "a parameter appears twice");
    known.add(p);
    if (!p.isLeaf) {
      throw stateError(optimizer, "a computed tensor cannot be optimized", "pass leaves");
    }
    if (!p.dtype.startsWith("float")) {
      throw stateError(optimizer, `a parameter has dtype ${p.dtype}, which has no gradient`);
    }
  }
}
