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

interface PilCase {
  op: string;
  args: unknown[];
  input: Image;
  output: Image;
}

/** `op args width height channels bytes width height channels bytes`, the bytes in base64. */
function parseCase(line: string): PilCase {
  const [op, args, ...rest] = line.split(" ");
  const image = (at: number): Image => {
    const [width, height, channels] = rest.slice(at, at + 3).map(Number);
    const data = Uint8Array.from(atob(rest[at + 3]!), (c) => c.charCodeAt(0));
    return { width: width!, height: height!, channels: channels!, data };
  };
  return { op: op!, args: JSON.parse(args!) as unknown[], input: image(0), output: image(4) };
}

function run({ op, args, input: image }: PilCase): Image {
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

const CASES = pil.cases.map(parseCase);

for (const op of new Set(CASES.map((test) => test.op))) {
  Deno.test(`${op}() gives the bytes of ${pil.source}`, () => {
    const cases = CASES.filter((test) => test.op === op);
    assert(cases.length > 4);
    for (const test of cases) assertEquals(run(test), test.output, JSON.stringify(test.args));
  });
}
