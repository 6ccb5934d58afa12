/** Names of settings here and in PyTorch. */

/** `weight_decay` for `weightDecay`. */
function pythonName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `weightDecay` for `weight_decay`. */
function scriptName(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Settings whose values are names as well, as they are called here. */
const CHOICES: ReadonlySet<string> = new Set(["adjustLrFn", "lineSearchFn"]);

/** Settings under PyTorch's names. */
export function pythonSettings(settings: object): Record<string, unknown> {
  return renamed(settings, (name, value) => [pythonName(name), chosen(name, value, pythonName)]);
}

/** Settings under the names here. */
export function scriptSettings(settings: object): Record<string, unknown> {
  return renamed(settings, (name, value) => {
    const own = scriptName(name);
    return [own, chosen(own, value, scriptName)];
  });
}

function renamed(
  settings: object,
  rename: (name: string, value: unknown) => [string, unknown],
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => rename(name, value)));
}

function chosen(name: string, value: unknown, rename: (name: string) => string): unknown {
  return typeof value === "string" && CHOICES.has(name) ? rename(value) : value;
}
