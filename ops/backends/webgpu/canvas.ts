/**
 * Reads at once in a browser. A page cannot wait for a map, but drawing a canvas that WebGPU wrote,
 * and asking for the pixels, waits for the queue: four bytes of a buffer are one pixel.
 *
 * A canvas does not keep all four. One that is opaque keeps red, green and blue as they are, and has
 * no alpha; one that is premultiplied keeps alpha, and changes the others. So the bytes go through
 * one of each.
 *
 * @module
 */

/** Pixels of a row: 1 KiB, a multiple of the 256 bytes that copies into textures ask for. */
const WIDTH = 256;

/** Rows of a canvas. Larger reads take several turns. */
const HEIGHT = 256;

const PIXEL_BYTES = 4;

/** A pixel of four bytes that differ, with little alpha. */
const PROBE = Uint32Array.of(0x01fe_80a5);

/** Masks of the little-endian word of a pixel. */
const COLOUR = 0x00ff_ffff, ALPHA = 0xff00_0000;

/** The part of `OffscreenCanvas` that is needed; Deno has none, nor a type for it. */
interface Canvas {
  getContext(kind: "webgpu"): CanvasTarget | null;
  getContext(kind: "2d", options: { willReadFrequently: boolean }): Drawing | null;
}

interface CanvasTarget {
  configure(options: {
    device: GPUDevice;
    format: GPUTextureFormat;
    usage: number;
    alphaMode: "opaque" | "premultiplied";
  }): void;
  getCurrentTexture(): GPUTexture;
}

interface Drawing {
  globalCompositeOperation: string;
  drawImage(image: Canvas, x: number, y: number): void;
  getImageData(x: number, y: number, width: number, height: number): { data: Uint8ClampedArray };
}

type CanvasClass = new (width: number, height: number) => Canvas;

/** A canvas that the device writes, and one that the host reads. */
class Surface {
  readonly #canvas: Canvas;
  readonly #target: CanvasTarget;
  readonly #drawing: Drawing;

  constructor(Class: CanvasClass, device: GPUDevice, alphaMode: "opaque" | "premultiplied") {
    this.#canvas = new Class(WIDTH, HEIGHT);
    this.#target = this.#canvas.getContext("webgpu")!;
    const usage = GPUTextureUsage.COPY_DST;
    this.#target.configure({ device, format: "rgba8unorm", usage, alphaMode });
    this.#drawing = new Class(WIDTH, HEIGHT).getContext("2d", { willReadFrequently: true })!;
    this.#drawing.globalCompositeOperation = "copy";
  }

  /** Copies words to the first pixels. */
  write(encoder: GPUCommandEncoder, buffer: GPUBuffer, offset: number, words: number): void {
    const texture = this.#target.getCurrentTexture();
    const rows = Math.floor(words / WIDTH), rest = words % WIDTH;
    const bytesPerRow = WIDTH * PIXEL_BYTES;
    if (rows > 0) {
      encoder.copyBufferToTexture({ buffer, offset, bytesPerRow }, { texture }, [WIDTH, rows]);
    }
    if (rest > 0) {
      const source = { buffer, offset: offset + rows * bytesPerRow, bytesPerRow };
      encoder.copyBufferToTexture(source, { texture, origin: [0, rows] }, [rest, 1]);
    }
  }

  /** The first pixels, after what was submitted. */
  read(words: number): Uint32Array {
    this.#drawing.drawImage(this.#canvas, 0, 0);
    const rows = Math.ceil(words / WIDTH);
    const { data } = this.#drawing.getImageData(0, 0, WIDTH, rows);
    return new Uint32Array(data.buffer, data.byteOffset, words);
  }
}

/** Reads buffers of a device by way of canvases. */
export class CanvasReader {
  readonly #device: GPUDevice;
  readonly #opaque: Surface;
  readonly #premultiplied: Surface;

  private constructor(Class: CanvasClass, device: GPUDevice) {
    this.#device = device;
    this.#opaque = new Surface(Class, device, "opaque");
    this.#premultiplied = new Surface(Class, device, "premultiplied");
  }

  /** A reader, or `undefined` where there are no canvases, or none that can be read. */
  static open(device: GPUDevice): CanvasReader | undefined {
    const { OffscreenCanvas: Class } = globalThis as { OffscreenCanvas?: CanvasClass };
    if (Class === undefined) return undefined;
    const reader = new CanvasReader(Class, device);
    return reader.#works() ? reader : undefined;
  }

  /** A browser that composes its pages without the GPU has no pixels of it, and gives zeros. */
  #works(): boolean {
    const size = PROBE.byteLength, usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.#device.createBuffer({ size, usage });
    this.#device.queue.writeBuffer(buffer, 0, PROBE);
    const [word] = new Uint32Array(this.read(buffer, 0, size).buffer);
    buffer.destroy();
    return word === PROBE[0];
  }

  /** Reads bytes, after all that was submitted; offset and length are multiples of 4. */
  read(buffer: GPUBuffer, offset: number, bytes: number): Uint8Array<ArrayBuffer> {
    const result = new Uint32Array(bytes / PIXEL_BYTES);
    for (let start = 0; start < result.length; start += WIDTH * HEIGHT) {
      const words = Math.min(WIDTH * HEIGHT, result.length - start);
      const encoder = this.#device.createCommandEncoder();
      const from = offset + start * PIXEL_BYTES;
      this.#opaque.write(encoder, buffer, from, words);
      this.#premultiplied.write(encoder, buffer, from, words);
      this.#device.queue.submit([encoder.finish()]);
      const colours = this.#opaque.read(words), alphas = this.#premultiplied.read(words);
      for (let i = 0; i < words; i++) {
        result[start + i] = (colours[i]! & COLOUR) | (alphas[i]! & ALPHA);
      }
    }
    return new Uint8Array(result.buffer);
  }
}
