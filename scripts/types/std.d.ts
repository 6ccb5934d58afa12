/**
 * Types for the parts of Deno's standard library that come from npm as plain JavaScript.
 *
 * On a machine that reaches JSR the import map may point at `jsr:@std/…` instead; then this file is
 * not needed. It is never published: JSR refuses packages that declare modules by name.
 */

declare module "@std/assert" {
  // deno-lint-ignore no-explicit-any
  type Constructor<T> = abstract new (...args: any[]) => T;

  export class AssertionError extends Error {}
  export function equal(a: unknown, b: unknown): boolean;
  export function fail(msg?: string): never;
  export function unimplemented(msg?: string): never;
  export function unreachable(msg?: string): never;
  export function assert(expr: unknown, msg?: string): asserts expr;
  export function assertFalse(expr: unknown, msg?: string): void;
  export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertStrictEquals<T>(
    actual: unknown,
    expected: T,
    msg?: string,
  ): asserts actual is T;
  export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;
  export function assertAlmostEquals(
    actual: number,
    expected: number,
    tolerance?: number,
    msg?: string,
  ): void;
  export function assertGreater<T>(actual: T, expected: T, msg?: string): void;
  export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void;
  export function assertLess<T>(actual: T, expected: T, msg?: string): void;
  export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void;
  export function assertMatch(actual: string, expected: RegExp, msg?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
  export function assertStringIncludes(actual: string, expected: string, msg?: string): void;
  export function assertArrayIncludes<T>(
    actual: ArrayLike<T>,
    expected: ArrayLike<T>,
    msg?: string,
  ): void;
  export function assertObjectMatch(
    actual: Record<PropertyKey, unknown>,
    expected: Record<PropertyKey, unknown>,
    msg?: string,
  ): void;
  export function assertInstanceOf<T>(
    actual: unknown,
    expectedType: Constructor<T>,
    msg?: string,
  ): asserts actual is T;
  export function assertNotInstanceOf<A, T>(
    actual: A,
    unexpectedType: Constructor<T>,
    msg?: string,
  ): asserts actual is Exclude<A, T>;
  export function assertIsError<E extends Error = Error>(
    error: unknown,
    errorClass?: Constructor<E>,
    msgMatches?: string | RegExp,
    msg?: string,
  ): asserts error is E;
  export function assertThrows(fn: () => unknown, msg?: string): unknown;
  export function assertThrows<E extends Error = Error>(
    fn: () => unknown,
    errorClass: Constructor<E>,
    msgIncludes?: string,
    msg?: string,
  ): E;
  export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
  export function assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    errorClass: Constructor<E>,
    msgIncludes?: string,
    msg?: string,
  ): Promise<E>;
}

declare module "@std/cli/parse-args" {
  export interface ParseOptions<B extends string, S extends string, D extends object> {
    boolean?: readonly B[];
    string?: readonly S[];
    collect?: readonly string[];
    negatable?: readonly string[];
    default?: D;
    alias?: Record<string, string | readonly string[]>;
    stopEarly?: boolean;
    "--"?: boolean;
    unknown?: (arg: string, key?: string, value?: unknown) => unknown;
  }
  export function parseArgs<
    B extends string = never,
    S extends string = never,
    D extends object = Record<never, never>,
  >(args: readonly string[], options?: ParseOptions<B, S, D>):
    & { _: (string | number)[] }
    & { [K in B]: boolean }
    & { [K in S]: K extends keyof D ? string : string | undefined }
    & Record<string, unknown>;
}

declare module "@std/fmt/colors" {
  export function stripAnsiCode(text: string): string;
}

declare module "@std/path" {
  export const DELIMITER: string;
  export const SEPARATOR: string;
  export function basename(path: string | URL, suffix?: string): string;
  export function dirname(path: string | URL): string;
  export function extname(path: string | URL): string;
  export function fromFileUrl(url: string | URL): string;
  export function globToRegExp(glob: string, options?: { extended?: boolean }): RegExp;
  export function isAbsolute(path: string): boolean;
  export function join(path: string | URL, ...paths: string[]): string;
  export function normalize(path: string | URL): string;
  export function relative(from: string, to: string): string;
  export function resolve(...pathSegments: string[]): string;
  export function toFileUrl(path: string): URL;
}

declare module "@std/text/levenshtein-distance" {
  export function levenshteinDistance(str1: string, str2: string): number;
}

declare module "@std/text/to-kebab-case" {
  export function toKebabCase(input: string): string;
}
