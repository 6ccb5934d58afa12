/** Host values that compiled functions depend on. */
import { currentTrace, withoutTrace } from "./compile/trace.ts";

/** Whether a function is being traced by `compile`. */
export function isTracing(): boolean {
  return currentTrace() !== undefined;
}

/**
 * A value of the host that decides what a function does (a training flag, an option). While a
 * function is traced it becomes a condition of the plan: when `read` gives something else before a
 * later call, the function is traced anew instead of replaying a frozen branch.
 *
 * @param read Gives the current value; compared with `Object.is`.
 * @returns The current value.
 */
export function guarded<T>(read: () => T): T {
  const value = read();
  currentTrace()?.guard(() => Object.is(read(), value));
  return value;
}

/** Runs `body` at once even while a function is traced, for state that plans capture. */
export function untraced<T>(body: () => T): T {
  return withoutTrace(body);
}

/** Stands for the function being traced: the same object until its trace ends. */
export function traceToken(): object | undefined {
  return currentTrace();
}

/** Calls `count` now, or, while a function is traced, after each replay of its plan. */
export function afterStep(count: () => void): void {
  const trace = currentTrace();
  if (trace) trace.afterReplay(count);
  else count();
}
