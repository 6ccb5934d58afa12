// Asserts the whole text of an error, where std's assertThrows asks for a part of it.

import { assertEquals, assertRejects, assertThrows } from "@std/assert";

/** Asserts that `fn` throws exactly `message`. */
export function assertMessage(fn: () => unknown, message: string): void {
  assertEquals((assertThrows(fn) as Error).message, message);
}

/** Asserts that `fn` rejects with exactly `message`. */
export async function assertRejection(
  fn: () => Promise<unknown>,
  message: string,
): Promise<void> {
  assertEquals((await assertRejects(fn) as Error).message, message);
}
