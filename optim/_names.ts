/** Names of settings here and in PyTorch. */

/** `weight_decay` for `weightDecay`. */
export function pythonName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `weightDecay` for `weight_decay`. */
export function scriptName(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
