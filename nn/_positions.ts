/** Rows of tables of positions. */
import { arange, embedding, type Tensor } from "../ops/mod.ts";
import { rangeError } from "../ops/check.ts";

/** Rows of a table `[maxLen, ·]` from an offset on. */
export function rowsAt(
  name: string,
  table: Tensor,
  count: number,
  offset: number | Tensor = 0,
): Tensor {
  const most = table.shape[0]!;
  if (typeof offset === "number") {
    if (offset < 0 || offset + count > most) {
      throw rangeError(name, `positions ${offset} to ${offset + count - 1} are not below ${most}`);
    }
    return table.narrow(0, offset, count);
  }
  const positions = arange(0, count, 1, { device: table.device }).add(offset);
  return embedding(positions, table);
}
