/** Whether operations are recorded, and the modes that change it. */
import { stateError } from "./check.ts";

let gradEnabled = true;

/** Whether operations are being recorded for `backward`. */
export function isGradEnabled(): boolean {
  return gradEnabled;
}

/** Runs `body` with recording on or off. @throws {Error} If it returns a promise. */
export function withGradMode<T>(op: string, enabled: boolean, body: () => T): T {
  const before = gradEnabled;
  gradEnabled = enabled;
  try {
    const result = body();
    if (result instanceof Promise) {
      throw stateError(
        op,
        "the function returned a promise, and the mode would leak across its awaits",
        "await outside, and put only synchronous code inside",
      );
    }
    return result;
  } finally {
    gradEnabled = before;
  }
}

/**
 * Runs `body` without recording operations, like `torch.no_grad()`. `body` must be synchronous: a
 * mode that spans an await would leak into other code.
 *
 * @param body What to run.
 * @returns What `body` returns.
 * @throws {Error} If `body` returns a promise.
 *
 * @example
 * ```ts
 * import { noGrad, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const x = tensor([1, 2], { requiresGrad: true });
 * assertEquals(noGrad(() => x.mul(2)).requiresGrad, false);
 * ```
 */
export function noGrad<T>(body: () => T): T {
  return withGradMode("noGrad", false, body);
}

/** Runs `body` with recording on, inside of `noGrad`; like `torch.enable_grad()`. */
export function enableGrad<T>(body: () => T): T {
  return withGradMode("enableGrad", true, body);
}
