import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  centerCrop,
  flipHorizontal,
  type FloatImage,
  grayscale,
  type Image,
  type Interpolation,
  Normalize,
  type Resampling,
  resize,
  rotate,
  ToTensor,
} from "../../data/mod.ts";
import { assert, assertEquals } from "@std/assert";
import { type CaseArray, decodeBytes, readCases } from "./_cases.ts";

interface TransformCase {
  transform: string;
  kwargs: Record<string, unknown>;
  input: CaseArray;
  out: CaseArray;
}

function toImage(array: CaseArray): Image {
  const [height, width, channels = 1] = array.$t as [number, number, number?];
  return { width, height, channels, data: decodeBytes(array) };
}

function apply(name: string, image: Image, kwargs: Record<string, unknown>): Image | FloatImage {
  const factor = kwargs.factor as number;
  switch (name) {
    case "resize":
      return resize(image, kwargs.size as [number, number], {
        interpolation: kwargs.interpolation as Interpolation,
      });
    case "grayscale":
      return grayscale(image, kwargs.num_output_channels as 1 | 3);
    case "rotate":
      return rotate(image, kwargs.angle as number, {
        interpolation: kwargs.interpolation as Resampling,
      });
    case "adjust_brightness":
      return adjustBrightness(image, factor);
    case "adjust_contrast":
      return adjustContrast(image, factor);
    case "adjust_saturation":
      return adjustSaturation(image, factor);
    case "adjust_hue":
      return adjustHue(image, factor);
    case "hflip":
      return flipHorizontal(image);
    case "center_crop":
      return centerCrop(image, kwargs.size as number);
    case "to_tensor":
      return new ToTensor().forward(image);
    case "normalize":
      return new Normalize(kwargs.mean as number[], kwargs.std as number[])
        .forward(new ToTensor().forward(image));
    default:
      throw new Error(`no such transform: ${name}`);
  }
}

Deno.test("transforms give torchvision's results on all reference cases", async () => {
  for (const test of await readCases<TransformCase>("data.transforms")) {
    const result = apply(test.transform, toImage(test.input), test.kwargs);
    const bytes = decodeBytes(test.out);
    const label = `${test.transform} ${JSON.stringify(test.kwargs)}`;
    if ("dtype" in result) {
      assertEquals(result.shape, test.out.$t, label);
      const expected = new Float32Array(bytes.buffer);
      const worst = result.data.reduce((w, v, i) => Math.max(w, Math.abs(v - expected[i]!)), 0);
      assert(worst <= 1e-6, `${label}: worst error ${worst}`);
      continue;
    }
    const shape = [result.height, result.width, ...result.channels > 1 ? [result.channels] : []];
    assertEquals(shape, test.out.$t, label);
    const worst = result.data.reduce((w, v, i) => Math.max(w, Math.abs(v - bytes[i]!)), 0);
    assert(worst <= (test.transform === "resize" ? 1 : 0), `${label}: worst error ${worst}`);
  }
});
