/**
 * Lines per folder, the longest files and functions, and what is over the limits.
 *
 * It relies on formatted code: a function ends at the first `}` with the indentation of its start.
 *
 * Run it with `deno task size`.
 *
 * @module
 */
import { readSources, type Source } from "./_sources.ts";

/** Lines that a file may have; the first pattern that fits counts. */
const FILE_LIMITS: readonly (readonly [RegExp, number])[] = [
  [/(^|\/)mod\.ts$/, 80],
  [/^tests\//, 600],
  [/^models\/[^/]+\.ts$/, 450],
  [/^ops\/(ir|backends|compile)\//, 450], // passes and kernel templates
  [/^/, 350],
];

/** Lines that a function may have: one screen. */
const FUNCTION_LIMIT = 60;

/** Entries of each list that are shown. */
const SHOWN = 10;

/** Something with a length. */
export interface Sized {
  /** Where it is: a path, or `path:line name()`. */
  name: string;
  /** Lines. */
  lines: number;
}

/**
 * Finds functions and methods with their lengths.
 *
 * @param source A formatted file.
 * @returns All of them, in order.
 */
export function functionsOf({ path, text }: Source): Sized[] {
  const lines = text.split("\n");
  const found: Sized[] = [];
  let inClass = false;
  lines.forEach((line, start) => {
    if (/^(export )?(abstract )?class /.test(line)) inClass = !line.endsWith("{}");
    if (line === "}") inClass = false;
    const name = functionName(line, inClass);
    if (name === undefined) return;
    const indent = line.match(/^ */)![0];
    const end = lines.findIndex((other, i) => i >= start && isEnd(other, indent));
    const length = end < 0 ? 1 : end - start + 1;
    found.push({ name: `${path}:${start + 1} ${name}()`, lines: length });
  });
  return found;
}

/**
 * Finds files and functions over their limits.
 *
 * @param sources All files.
 * @returns One line for each.
 */
export function overLimits(sources: readonly Source[]): string[] {
  const files = sources.map(({ path, text }) => ({
    name: path,
    lines: countLines(text),
    limit: FILE_LIMITS.find(([pattern]) => pattern.test(path))![1],
  }));
  const functions = sources.filter(({ path }) => !path.startsWith("tests/")).flatMap(functionsOf)
    .map((item) => ({ ...item, limit: FUNCTION_LIMIT }));
  return [...files, ...functions].filter(({ lines, limit }) => lines > limit)
    .map(({ name, lines, limit }) => `${name}: ${lines} lines, the limit is ${limit}`);
}

/**
 * Counts lines per folder.
 *
 * @param sources All files.
 * @returns Folders down to the second level, in order.
 */
export function linesPerFolder(sources: readonly Source[]): (Sized & { files: number })[] {
  const folders = new Map<string, { files: number; lines: number }>();
  for (const { path, text } of sources) {
    const parts = path.split("/").slice(0, -1);
    for (let depth = Math.min(1, parts.length); depth <= Math.min(2, parts.length); depth++) {
      const name = parts.slice(0, depth).join("/") || ".";
      const before = folders.get(name) ?? { files: 0, lines: 0 };
      folders.set(name, { files: before.files + 1, lines: before.lines + countLines(text) });
    }
  }
  return [...folders].map(([name, counts]) => ({ name, ...counts }))
    .sort((a, b) => a.name < b.name ? -1 : 1);
}

function functionName(line: string, inClass: boolean): string | undefined {
  const plain = line.match(/^ *(?:export )?(?:async )?function\*? (\w+)/);
  if (plain !== null) return plain[1];
  if (!inClass) return undefined;
  const modifiers = "(?:(?:static|async|override|get|set|private|protected|abstract) )*";
  const name = "(#?\\w+|\\[Symbol\\.\\w+\\])";
  const method = line.match(new RegExp(`^  ${modifiers}\\*?${name}(?:<.*>)?\\(.*[^;]$`));
  return method?.[1];
}

/** Whether a line ends what began with the same indentation; `): T {` only ends the parameters. */
function isEnd(line: string, indent: string): boolean {
  if (line.startsWith(`${indent}}`) && line[indent.length + 1] !== " ") return true;
  return line.startsWith(indent) && /^\S.*\{.*\}$/.test(line.slice(indent.length));
}

function countLines(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

function printTable(title: string, rows: readonly Sized[]): void {
  console.log(`\n${title}`);
  for (const { name, lines } of rows) console.log(`${String(lines).padStart(7)}  ${name}`);
}

if (import.meta.main) {
  const sources = await readSources();
  const longest = (items: Sized[]): Sized[] =>
    items.sort((a, b) => b.lines - a.lines).slice(0, SHOWN);
  console.log("  lines  files  folder");
  for (const { name, files, lines } of linesPerFolder(sources)) {
    console.log(`${String(lines).padStart(7)}${String(files).padStart(7)}  ${name}`);
  }
  const code = sources.filter(({ path }) => !path.startsWith("tests/"));
  printTable(
    "Longest files",
    longest(code.map(({ path, text }) => ({ name: path, lines: countLines(text) }))),
  );
  printTable("Longest functions", longest(code.flatMap(functionsOf)));
  const over = overLimits(sources);
  console.log(`\n${over.length} over the limits`);
  for (const line of over) console.log(`  ${line}`);
}
