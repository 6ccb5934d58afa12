/**
 * The text of `--help`.
 *
 * @module
 */
import { toKebabCase } from "@std/text/to-kebab-case";
import { limitOf, type Script } from "./config.ts";
import {
  flagsText,
  isNumberList,
  isWords,
  type Limit,
  type Setting,
  type Settings,
  showValue,
} from "./settings.ts";
import { sharedDescribe, type SharedKey } from "./shared_flags.ts";

/**
 * The text of `--help`.
 *
 * @param script Settings, help texts, sub-commands.
 * @returns Several lines, without a newline at the end.
 */
export function helpText<C extends Settings>(script: Script<C>): string {
  const commands = Object.entries(script.commands ?? {});
  const lines = [script.about, ""];
  const words = commands.map(([name], index) => index === 0 ? `[${name}]` : name).join("|");
  lines.push(`Usage: deno run -A ${script.name} ${words}${words ? " " : ""}[options]`);
  if (commands.length > 0) {
    lines.push("", "Commands:");
    const names = commands.map(([name, { positional }]) => `${name} ${positional ?? ""}`.trim());
    lines.push(...columns(names, commands.map(([, { about }]) => about)));
  }
  const presets = Object.entries(script.presets ?? {});
  if (presets.length > 0) {
    lines.push("", "Presets (--preset NAME):");
    lines.push(...columns(presets.map(([name]) => name), presets.map(([, p]) => flagsText(p))));
  }
  lines.push("", "Options:");
  const keys = Object.keys(script.config);
  const left = keys.map((key) => flagSyntax(key, script.config[key]!, limitOf(script, key)));
  const right = keys.map((key) => describeKey(script, key));
  lines.push(...columns([...left, "--help"], [...right, "Show this text"]));
  return lines.join("\n");
}

function flagSyntax(key: string, value: Setting, limit?: Limit): string {
  const flag = toKebabCase(key);
  if (typeof value === "boolean") return value ? `--no-${flag}` : `--${flag}`;
  if (limit !== undefined && isWords(limit)) return `--${flag} ${limit.join("|")}`;
  if (typeof value === "number") return `--${flag} N`;
  if (typeof value === "string") return `--${flag} TEXT`;
  return isNumberList(value) ? `--${flag} N,N,…` : `--${flag} TEXT…`;
}

function describeKey<C extends Settings>(script: Script<C>, key: string): string {
  const own = (script.describe as Record<string, string | undefined>)[key];
  const text = own ?? sharedDescribe[key as SharedKey];
  const value = script.config[key]!;
  const shown = showValue(value);
  return typeof value === "boolean" || shown === "" ? text : `${text} [${shown}]`;
}

function columns(left: readonly string[], right: readonly string[]): string[] {
  const width = Math.min(32, Math.max(...left.map((text) => text.length)));
  return left.map((text, i) => {
    const gap = text.length > width ? `\n${" ".repeat(width + 2)}` : "";
    return `  ${text.padEnd(width)}${gap}  ${right[i]}`;
  });
}
