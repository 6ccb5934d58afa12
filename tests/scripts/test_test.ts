import { assertEquals } from "@std/assert";
import { countsOf } from "../../scripts/test.ts";

Deno.test("countsOf() reads the summary with steps, ignored tests and colours", () => {
  assertEquals(countsOf("ok | 17 passed | 0 failed (14ms)\n"), {
    passed: 17,
    failed: 0,
    skipped: 0,
  });
  assertEquals(countsOf("FAILED | 2 passed (3 steps) | 1 failed (1 step) | 4 ignored (1s)\n"), {
    passed: 2,
    failed: 1,
    skipped: 4,
  });
  const coloured = "\x1b[0m\x1b[32mok\x1b[0m | 5 passed | 0 failed \x1b[38;5;245m(3ms)\x1b[0m";
  assertEquals(countsOf(coloured)?.passed, 5);
});

Deno.test("countsOf() takes the last summary and returns undefined without one", () => {
  const printed = "ok | 1 passed | 0 failed\nok | 2 passed | 0 failed\n";
  assertEquals(countsOf(printed)?.passed, 2);
  assertEquals(countsOf("error: Type checking failed."), undefined);
});
