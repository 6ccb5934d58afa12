/**
 * `TENSAURUS_DEBUG`, the one environment variable that the library reads:
 * 1 devices, compile times and one line per kernel; 2 fusion decisions; 3 plans; 4 generated source.
 */
interface Host {
  readonly Deno?: { readonly env?: { get(name: string): string | undefined } };
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

let level: number | undefined;

function readVariable(): string | undefined {
  const host = globalThis as unknown as Host;
  try {
    return host.Deno?.env
      ? host.Deno.env.get("TENSAURUS_DEBUG")
      : host.process?.env?.["TENSAURUS_DEBUG"];
  } catch {
    return undefined; // Without permission to read the environment nothing is printed.
  }
}

/** Level from 0 to 4. */
export function debugLevel(): number {
  level ??= Math.max(0, Math.min(4, Number(readVariable() ?? 0) || 0));
  return level;
}

/** Overrides the variable, for tests and `setDebug`. */
export function setDebugLevel(value: number): void {
  level = value;
}

/** Prints to standard error when the level is reached. */
export function debug(minimum: number, text: () => string): void {
  if (debugLevel() >= minimum) console.error(text());
}
