import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  type Image,
  type Interpolation,
  type Resampling,
  resize,
  rotate,
} from "../../data/mod.ts";
import { assert, assertEquals } from "@std/assert";
import pil from "./fixtures/pil.json" with { type: "json" };

/** Width, height, channels, bytes in base64. */
type Encoded = [number, number, number, string];

interface PilCase {
  op: string;
  args: unknown[];
  i: Encoded;
  o: Encoded;
}

function decode([width, height, channels, bytes]: Encoded): Image {
  const data = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
  return { width, height, channels, data };
}

function run({ op, args, i }: PilCase): Image {
  const image = decode(i);
  switch (op) {
    case "resize":
      return resize(image, args[0] as [number, number], {
        interpolation: args[1] as Interpolation,
      });
    case "rotate":
      return rotate(image, args[0] as number, {
        interpolation: args[1] as Resampling,
        expand: args[2] as boolean,
        center: args[3] as [number, number] | null ?? undefined,
        fill: args[4] as number,
      });
    case "adjustBrightness":
      return adjustBrightness(image, args[0] as number);
    case "adjustContrast":
      return adjustContrast(image, args[0] as number);
    case "adjustSaturation":
      return adjustSaturation(image, args[0] as number);
    default:
      return adjustHue(image, args[0] as number);
  }
}

for (const op of new Set(pil.cases.map((test) => test.op))) {
  Deno.test(`${op}() gives the bytes of ${pil.source}`, () => {
    const cases = (pil.cases as PilCase[]).filter((test) => test.op === op);
    assert(cases.length > 4);
    for (const test of cases) assertEquals(run(test), decode(test.o), JSON.stringify(test.args));
  });
}
