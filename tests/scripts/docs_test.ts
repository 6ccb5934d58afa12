import { assertEquals, assertStringIncludes } from "@std/assert";
import { coverageTable, PYTORCH_NAMES, spelledHere } from "../../scripts/_pytorch_names.ts";

Deno.test("spelledHere() makes functions camelCase and leaves classes", () => {
  assertEquals(["conv_transpose2d", "log_softmax", "l1_loss", "Conv2d", "where"].map(spelledHere), [
    "convTranspose2d",
    "logSoftmax",
    "l1Loss",
    "Conv2d",
    "where",
  ]);
});

Deno.test("coverageTable() counts what is exported", () => {
  const names = ["relu", "max_pool2d", "ctc_loss"];
  const exported = new Set(["relu", "maxPool2d", "other"]);
  const table = coverageTable([{ title: "F", entry: "nn/mod.ts", names, exported }]);
  assertStringIncludes(table, "## F: 2 of 3 (66 %)");
  assertStringIncludes(table, "| here | `relu` `maxPool2d` |");
  assertStringIncludes(table, "| not here | `ctc_loss` |");
});

Deno.test("the lists of PyTorch's names have no name twice", () => {
  for (const { names } of PYTORCH_NAMES) assertEquals(new Set(names).size, names.length);
});
