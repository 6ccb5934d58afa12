/** Names of settings here and in PyTorch. */

/** `weight_decay` for `weightDecay`. */
function pythonName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `weightDecay` for `weight_decay`. */
function scriptName(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Settings under PyTorch's names. */
export function pythonSettings(settings: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [pythonName(name), value]),
  );
}

/** Settings under the names here. */
export function scriptSettings(settings: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [scriptName(name), value]),
  );
}
