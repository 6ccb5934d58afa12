/**
 * Settings and command line of a script, from one plain object.
 *
 * The config object is the only list of settings: a flag `--batch-size` exists because the object
 * has a key `batchSize`; its type and default are those of the value, its help text stands beside
 * it in `describe`.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { toKebabCase } from "@std/text/to-kebab-case";
import { helpText } from "./help.ts";
import { hint } from "./nearest.ts";
import {
  convert,
  expectation,
  isNumberList,
  type Limit,
  type Setting,
  type Settings,
  UsageError,
} from "./settings.ts";
import { type SharedKey, sharedLimits } from "./shared_flags.ts";

export {
  type Limit,
  type NumberLimit,
  type Setting,
  type Settings,
  UsageError,
} from "./settings.ts";

/** One sub-command. */
export interface Command {
  /** One line for `--help`. */
  about: string;
  /** Name of the positional arguments for `--help`, such as `FILE…`; without it none are taken. */
  positional?: string;
}

/** Help texts: every setting needs one, except the shared flags, which have theirs already. */
export type Describe<C> =
  & { [K in Exclude<keyof C, SharedKey>]: string }
  & { [K in Extract<keyof C, SharedKey>]?: string };

/** Everything that the command line of a script is made from. */
export interface Script<C extends Settings> {
  /** Path shown in the help, such as `models/gpt.ts`. */
  name: string;
  /** One or two sentences for the top of the help. */
  about: string;
  /** All settings with their defaults. */
  config: C;
  /** One sentence for each setting. */
  describe: Describe<C>;
  /** Allowed values, where type alone does not say it. */
  limits?: { [K in keyof C]?: Limit };
  /** Sets of values chosen by `--preset`; flags given beside it win. */
  presets?: Record<string, Partial<C>>;
  /** Sub-commands; the first is the default. */
  commands?: Record<string, Command>;
}

/** A command line that was understood. */
export interface Parsed<C extends Settings> {
  /** The sub-command, or `""` for a script without any. */
  command: string;
  /** Defaults, then the preset, then the flags. */
  config: C;
  /** Positional arguments after the sub-command. */
  args: string[];
  /** The settings that were given as flags. */
  given: ReadonlySet<string>;
}

/**
 * Reads a command line.
 *
 * @param script Settings, help texts, sub-commands.
 * @param argv What stands after the script's name.
 * @returns The settings, or `"help"` where help was asked for.
 * @throws {UsageError} For an unknown flag or command, a missing value, a wrong type.
 *
 * @example A flag and its default
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const script = {
 *   name: "models/tiny.ts",
 *   about: "A small example.",
 *   config: { batchSize: 64, hidden: 128 },
 *   describe: { hidden: "Width of the hidden layer" },
 * };
 * const parsed = parseConfig(script, ["--batch-size", "32"]);
 * assertEquals(parsed !== "help" && parsed.config, { batchSize: 32, hidden: 128 });
 * ```
 */
export function parseConfig<C extends Settings>(
  script: Script<C>,
  argv: readonly string[],
): Parsed<C> | "help" {
  const { config } = script;
  const keyOf = new Map<string, keyof C & string>();
  for (const key of Object.keys(config)) keyOf.set(toKebabCase(key), key);
  const flags = [...keyOf.keys()];
  const isBoolean = (flag: string): boolean => typeof config[keyOf.get(flag)!] === "boolean";

  const raw = parseArgs(joinValues(script, argv, keyOf), {
    boolean: [...flags.filter(isBoolean), "help"],
    negatable: flags.filter(isBoolean),
    string: [...flags.filter((flag) => !isBoolean(flag)), "_"],
    collect: flags.filter((flag) => Array.isArray(config[keyOf.get(flag)!])),
    alias: { help: "h" },
    unknown: (argument, key) => {
      if (key === undefined) return true;
      const known = [...flags, "help"].map((flag) => `--${flag}`);
      throw new UsageError(`${flagPart(argument)}: no such option${hint(argument, known)}`);
    },
  });
  if (raw.help === true) return "help";

  const { command, args } = splitCommand(script, raw._.map(String));
  const given = new Set<string>();
  const flagged: Partial<C> = {};
  for (const [flag, key] of keyOf) {
    if (!wasGiven(argv, flag)) continue;
    given.add(key);
    flagged[key] = convert(flag, raw[flag], config[key]!, limitOf(script, key)) as C[typeof key];
  }
  const preset = presetOf(script, flagged);
  return { command, config: { ...config, ...preset, ...flagged }, args, given };
}

/**
 * Reads this process's command line; prints help or a usage error and ends the process where that
 * is all there is to do.
 *
 * @param script Settings, help texts, sub-commands.
 * @returns The settings.
 */
export function commandLine<C extends Settings>(script: Script<C>): Parsed<C> {
  try {
    const parsed = parseConfig(script, Deno.args);
    if (parsed !== "help") return parsed;
    console.log(helpText(script));
    Deno.exit(0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}

/** Glues values to their flags where `parseArgs` would take `-5` or a second file for a flag. */
function joinValues<C extends Settings>(
  script: Script<C>,
  argv: readonly string[],
  keyOf: ReadonlyMap<string, keyof C & string>,
): string[] {
  const joined: string[] = [];
  let list: string | undefined;
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    if (argument === "--") return [...joined, ...argv.slice(i)];
    const isFlag = argument.startsWith("--") || argument === "-h";
    if (!isFlag && list !== undefined) {
      joined.push(`--${list}=${argument}`);
      continue;
    }
    list = undefined;
    const [flag = "", assigned] = argument.slice(2).split("=", 2);
    const key = isFlag ? keyOf.get(flag) : undefined;
    const value = key === undefined ? undefined : script.config[key];
    if (typeof value === "boolean" && !["true", "false", undefined].includes(assigned)) {
      throw new UsageError(`--${flag}: takes no value, got "${assigned}"`);
    }
    const next = argv[i + 1];
    if (value === undefined || typeof value === "boolean" || assigned !== undefined) {
      joined.push(argument);
    } else if (next === undefined || next.startsWith("--") || next === "-h") {
      throw new UsageError(
        `--${flag}: needs a value (${expectation(value, limitOf(script, key!))})`,
      );
    } else {
      joined.push(`--${flag}=${next}`);
      i++;
      if (Array.isArray(value) && !isNumberList(value)) list = flag;
    }
  }
  return joined;
}

function splitCommand<C extends Settings>(
  script: Script<C>,
  positional: string[],
): { command: string; args: string[] } {
  const commands = script.commands ?? {};
  const names = Object.keys(commands);
  let command = names[0] ?? "";
  let args = positional;
  const first = positional[0];
  if (first !== undefined && names.includes(first)) {
    command = first;
    args = positional.slice(1);
  } else if (first !== undefined && commands[command]?.positional === undefined) {
    if (names.length === 0) throw new UsageError(`${first}: unexpected argument`);
    throw new UsageError(`${first}: no such command${hint(first, names)}`);
  }
  if (args.length > 0 && commands[command]?.positional === undefined) {
    throw new UsageError(`${args[0]}: unexpected argument after ${command}`);
  }
  return { command, args };
}

function presetOf<C extends Settings>(script: Script<C>, flagged: Partial<C>): Partial<C> {
  const name = flagged.preset ?? script.config.preset ?? "";
  if (name === "") return {};
  const presets = script.presets ?? {};
  const preset = Object.hasOwn(presets, String(name)) ? presets[String(name)] : undefined;
  if (preset === undefined) {
    const names = Object.keys(presets);
    throw new UsageError(
      `--preset: expected one of ${names.join(", ")}, got "${name}"${hint(String(name), names)}`,
    );
  }
  return { ...preset, preset: name } as Partial<C>;
}

/**
 * Settings for continuing a run: those saved with it, then the flags given now.
 *
 * @param parsed The command line.
 * @param saved The `config.json` of the run.
 * @param fixed Settings that the saved weights depend on; giving another value is an error.
 * @returns The settings to go on with.
 * @throws {UsageError} If a fixed setting was given with another value than the saved one, or the
 *   run has none.
 */
export function resumeConfig<C extends Settings>(
  parsed: Parsed<C>,
  saved: Readonly<Record<string, unknown>>,
  fixed: readonly (keyof C & string)[] = [],
): C {
  const missing = fixed.find((key) => !(key in saved));
  if (missing !== undefined) {
    throw new UsageError(
      `--resume: the run has no setting --${toKebabCase(missing)} (is it another script's?)`,
    );
  }
  const merged: Settings = { ...parsed.config };
  for (const key of Object.keys(merged)) {
    const now = merged[key]!;
    const before = saved[key];
    const sameType = typeof before === typeof now && Array.isArray(before) === Array.isArray(now);
    if (!sameType) continue;
    if (!parsed.given.has(key)) {
      merged[key] = before as Setting;
    } else if ([...fixed, "preset"].includes(key) && String(before) !== String(now)) {
      throw new UsageError(
        `--${
          toKebabCase(key)
        }: the run was started with "${before}" and cannot go on with "${now}"`,
      );
    }
  }
  return merged as C;
}

/**
 * The settings that a source text never reads, for the test that each flag does something.
 *
 * A read is `.key`, `["key"]`, or the key in a destructuring of an object.
 *
 * @param config The config object.
 * @param source The text of the script and of the helpers that it hands the config to.
 * @returns The keys that are read nowhere.
 */
export function unreadKeys(config: Settings, source: string): string[] {
  return Object.keys(config).filter((key) => {
    const access = new RegExp(`\\.${key}\\b|\\["${key}"\\]`);
    const destructured = new RegExp(`\\{(?:[^{}]*,)?\\s*${key}\\b[^{}]*\\}\\s*=[^=>]`);
    return !access.test(source) && !destructured.test(source);
  });
}

/** The allowed values of a setting: the script's own, else those of the shared flag. */
export function limitOf<C extends Settings>(script: Script<C>, key: string): Limit | undefined {
  if (key === "preset" && script.presets) return Object.keys(script.presets);
  return script.limits?.[key] ?? sharedLimits[key as SharedKey];
}

function wasGiven(argv: readonly string[], flag: string): boolean {
  return argv.some((argument) => {
    const name = flagPart(argument);
    return name === `--${flag}` || name === `--no-${flag}`;
  });
}

function flagPart(argument: string): string {
  return argument.split("=", 1)[0]!;
}
