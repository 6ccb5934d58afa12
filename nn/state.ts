/** State dicts: keys and loading. */
import { noGrad, ShapeError, type Tensor, tensor } from "../ops/mod.ts";
import { stateError } from "../ops/check.ts";
import { sameShape } from "./_check.ts";

/** Tensors by the keys that PyTorch gives them. */
export type StateDict = Record<string, Tensor>;

/** What `loadStateDict` accepts: a record, a Map, or pairs. */
export type StateSource = StateDict | Iterable<readonly [string, Tensor]>;

/** Options of `loadStateDict`. */
export interface LoadStateDictOptions {
  /** Refuse missing and unexpected keys. @default true */
  strict?: boolean | undefined;
}

/** Keys that did not match. */
export interface LoadReport {
  /** Keys of the module that the source lacks. */
  readonly missing: readonly string[];
  /** Keys of the source that the module lacks. */
  readonly unexpected: readonly string[];
}

/**
 * PyTorch's key of a field: a capital after a small letter or a digit starts a new word.
 *
 * @param field Name of the field.
 * @returns `running_mean` for `runningMean`; a name without such capitals stays as it is.
 */
export function keyOf(field: string): string {
  return field.replace(
    /([a-z0-9])([A-Z]+)/g,
    (_, before: string, capitals: string) => `${before}_${capitals.toLowerCase()}`,
  );
}

/** Copies values into tensors of the same keys; see `Module.loadStateDict`. */
export function loadEntries(
  entries: readonly (readonly [string, Tensor])[],
  source: StateSource,
  options: LoadStateDictOptions,
): LoadReport {
  const given: Map<string, Tensor> = new Map(
    Symbol.iterator in source ? source : Object.entries(source),
  );
  const own = new Map(entries);
  const missing = [...own.keys()].filter((key) => !given.has(key));
  const unexpected = [...given.keys()].filter((key) => !own.has(key));
  if ((options.strict ?? true) && missing.length + unexpected.length > 0) {
    const parts = [listKeys("missing", missing), listKeys("unexpected", unexpected)];
    const problem = parts.filter((part) => part).join(", ");
    throw stateError("loadStateDict", problem, "use { strict: false } to skip");
  }
  for (const [key, target] of own) {
    const value = given.get(key);
    if (value && !sameShape(value.shape, target.shape)) {
      const shapes = { module: target.shape, given: value.shape };
      throw new ShapeError("loadStateDict", `"${key}" has another shape`, shapes);
    }
  }
  noGrad(() => {
    for (const [key, target] of own) {
      const value = given.get(key);
      if (value) target.copy_(onDeviceOf(target, value));
    }
  });
  return { missing, unexpected };
}

function listKeys(what: string, keys: readonly string[]): string {
  return keys.length ? `${what} ${keys.map((key) => `"${key}"`).join(", ")}` : "";
}

function onDeviceOf(target: Tensor, value: Tensor): Tensor {
  if (value.device === target.device) return value;
  return tensor(value.dataSync(), {
    shape: value.shape,
    dtype: value.dtype,
    device: target.device,
  });
}
