/** Results that share no memory with what they were computed from. */
import type { Tensor } from "./tensor.ts";
import { clone } from "./view.ts";

/** `result`, or a copy of it where it is `source` itself or a view of it. */
export function owned(result: Tensor, source: Tensor): Tensor {
  return result.storage === source.storage ? clone(result) : result;
}
