/**
 * The functions behind `patches.ts`: `planes` copies planes between zeros, `pack` packs patches as
 * columns of B, `packTurned` as rows.
 *
 * @module
 */
import { KERNEL, ModuleBuilder } from "./assembler.ts";
import type { FunctionBuilder, Local } from "./assembler.ts";
import { PACK } from "./gemm_args.ts";
import { emitTranspose4 } from "./gemm_pack.ts";
import type { KernelModule } from "./kernel_plan.ts";

/** Words of the argument block of `planes`. */
export const PLANES = [
  "source",
  "target",
  "channels",
  "imageBytes",
  "height",
  "width",
  "top",
  "left",
  "rows",
  "columns",
  "step",
  "phaseBytes",
  "rowBytes",
  "planeBytes",
] as const;

/** Words of the pack functions, behind those; then the table of taps. */
export const PATCH = [
  "planes",
  "perBatch",
  "across",
  "perImage",
  "stepBytes",
  "packedImage",
] as const;

type Word = typeof PLANES[number] | typeof PATCH[number];

const WORDS: readonly Word[] = [...PLANES, ...PATCH];
const TABLE = 4 * WORDS.length;

/** The module. */
export const PATCHES_MODULE: KernelModule = {
  key: "patches",
  names: ["planes", "pack", "packTurned"],
  build: (options) => {
    const m = new ModuleBuilder(options);
    m.importMemory();
    emitPlanes(m);
    emitPack(m);
    emitPackTurned(m);
    return m.build();
  },
};

function word(f: FunctionBuilder, args: Local, name: Word): FunctionBuilder {
  return f.get(args).memory("i32.load", 4 * WORDS.indexOf(name));
}

/** Leaves the smaller or larger of a local and a pushed value in the local. */
function bound(f: FunctionBuilder, x: Local, which: "lt" | "gt", push: () => void): void {
  const other = f.local("i32");
  push();
  f.set(other).get(x, other, x, other).op(`i32.${which}_s`, "select").set(x).release(other);
}

function emitPlanes(m: ModuleBuilder): void {
  m.func({ ...KERNEL, export: "planes" }, (f) => {
    const [args, start, end] = f.parameters(3);
    const [task, source, target, y, last, phase, step] = f.locals("i32", 7);
    const [src, dst, column, count] = f.locals("i32", 4);
    word(f, args, "step").set(step);
    f.range(task, start, end, 1, () => {
      word(f, args, "target").get(task);
      word(f, args, "planeBytes").op("i32.mul", "i32.add").tee(target).i32(0);
      word(f, args, "planeBytes").fill();
      word(f, args, "source").get(task);
      word(f, args, "channels").op("i32.div_u");
      word(f, args, "imageBytes").op("i32.mul", "i32.add").get(task);
      word(f, args, "channels").op("i32.rem_u");
      word(f, args, "height").op("i32.mul");
      word(f, args, "width").op("i32.mul").i32(4).op("i32.mul", "i32.add").set(source);
      word(f, args, "top").set(y);
      bound(f, y, "gt", () => f.i32(0));
      word(f, args, "top");
      word(f, args, "rows").op("i32.add").set(last);
      bound(f, last, "lt", () => word(f, args, "height"));
      f.range(y, y, last, 1, () =>
        f.range(phase, 0, step, 1, () => {
          // The first column with this remainder that exists.
          word(f, args, "left").get(phase).op("i32.add").set(column);
          f.loop((again) => {
            f.get(column).i32(0).op("i32.lt_s").if(() => {
              f.get(column, step).op("i32.add").set(column).br(again);
            });
          });
          word(f, args, "left");
          word(f, args, "columns").op("i32.add").set(count);
          bound(f, count, "lt", () => word(f, args, "width"));
          f.get(count, column).op("i32.sub").get(step).op("i32.add").i32(1).op("i32.sub");
          f.get(step).op("i32.div_s").set(count);
          f.get(source, y);
          word(f, args, "width").op("i32.mul").get(column).op("i32.add").i32(4);
          f.op("i32.mul", "i32.add").set(src);
          f.get(target, y);
          word(f, args, "top").op("i32.sub");
          word(f, args, "rowBytes").op("i32.mul", "i32.add").get(phase);
          word(f, args, "phaseBytes").op("i32.mul", "i32.add").get(column);
          word(f, args, "left").op("i32.sub").get(step).op("i32.div_u").i32(4);
          f.op("i32.mul", "i32.add").set(dst);
          emitCopy(f, { src, dst, count, step });
        }));
    });
  });
}

/** Copies `count` elements `step` apart, which leaves the locals changed. */
function emitCopy(
  f: FunctionBuilder,
  { src, dst, count, step }: Record<"src" | "dst" | "count" | "step", Local>,
): void {
  const vectors = (bytes: number, load: () => void) =>
    f.loop((again) => {
      f.get(count).i32(4).op("i32.gt_s").if(() => {
        f.get(dst);
        load();
        f.memory("v128.store", 0, 2).get(src).i32(bytes).op("i32.add").set(src);
        f.get(dst).i32(16).op("i32.add").set(dst);
        f.get(count).i32(4).op("i32.sub").set(count).br(again);
      });
    });
  const one = () => vectors(16, () => f.get(src).memory("v128.load", 0, 2));
  f.get(step).i32(1).op("i32.eq").if(one, () => {
    f.get(step).i32(2).op("i32.eq").if(() =>
      vectors(32, () => {
        f.get(src).memory("v128.load", 0, 2).get(src).memory("v128.load", 16, 2);
        f.shuffle32(0, 2, 4, 6);
      })
    );
  });
  const bytes = f.local("i32");
  f.get(step).i32(4).op("i32.mul").set(bytes);
  f.loop((again) => {
    f.get(count).i32(0).op("i32.gt_s").if(() => {
      f.get(dst, src).memory("f32.load").memory("f32.store");
      f.get(src, bytes).op("i32.add").set(src).get(dst).i32(4).op("i32.add").set(dst);
      f.get(count).i32(1).op("i32.sub").set(count).br(again);
    });
  });
  f.release(bytes);
}

/**
 * Goes over the results `[first, last)` of a batch in runs along rows: address of the run's first
 * element for tap 0, and length.
 */
function emitRuns(
  f: FunctionBuilder,
  args: Local,
  batch: Local,
  first: Local,
  last: Local,
  body: (base: Local, length: Local) => void,
): void {
  const [position, end, image, rest, base, length] = f.locals("i32", 6);
  const flat = (x: Local) => {
    f.get(batch);
    word(f, args, "perBatch").op("i32.mul").get(x).op("i32.add");
  };
  flat(first);
  f.set(position);
  flat(last);
  f.set(end);
  f.loop((again) => {
    f.get(position, end).op("i32.lt_s").if(() => {
      f.get(position);
      word(f, args, "perImage").op("i32.div_u").set(image);
      f.get(position).get(image);
      word(f, args, "perImage").op("i32.mul", "i32.sub").set(rest);
      word(f, args, "planes").get(image);
      word(f, args, "packedImage").op("i32.mul", "i32.add").get(rest);
      word(f, args, "across").op("i32.div_u");
      word(f, args, "stepBytes").op("i32.mul", "i32.add").get(rest);
      word(f, args, "across").op("i32.rem_u").tee(rest).i32(4).op("i32.mul", "i32.add").set(base);
      word(f, args, "across").get(rest).op("i32.sub").set(length);
      bound(f, length, "lt", () => f.get(end, position).op("i32.sub"));
      body(base, length);
      f.get(position, length).op("i32.add").set(position).br(again);
    });
  });
}

function emitPack(m: ModuleBuilder): void {
  m.func({ ...PACK, export: "pack" }, (f) => {
    const [args, batch, first, last, kFirst, kLast, target, row] = f.parameters(8);
    const [entry, entryEnd, entryStart, dst, at, tail] = f.locals("i32", 6);
    f.get(args, kFirst).i32(4).op("i32.mul", "i32.add").set(entryStart);
    f.get(args, kLast).i32(4).op("i32.mul", "i32.add").set(entryEnd);
    emitRuns(f, args, batch, first, last, (base, length) => {
      f.get(target).set(dst).get(entryStart).set(entry);
      f.get(length).i32(4).op("i32.mul").i32(16).op("i32.sub").set(tail);
      const turns = (body: () => void) =>
        f.range(entry, entry, entryEnd, 4, () => {
          f.get(entry).memory("i32.load", TABLE).get(base).op("i32.add").set(at);
          body();
          f.get(dst, row).op("i32.add").set(dst);
        });
      // Whole vectors, the last one so that it ends with the run.
      const vectors = (count: number) =>
        turns(() => {
          for (let v = 0; v < count - 1; v++) {
            f.get(dst, at).memory("v128.load", 16 * v, 2).memory("v128.store", 16 * v, 2);
          }
          f.get(dst, tail).op("i32.add").get(at, tail).op("i32.add");
          f.memory("v128.load", 0, 2).memory("v128.store", 0, 2);
        });
      const single = (count: number) =>
        turns(() => {
          for (let i = 0; i < count; i++) {
            f.get(dst, at).memory("f32.load", 4 * i).memory("f32.store", 4 * i);
          }
        });
      const longer = (than: number, then: () => void, otherwise: () => void) =>
        f.get(length).i32(than).op("i32.gt_s").if(then, otherwise);
      const attempt = (count: number): void => {
        if (count > 0) longer(4 * count, () => vectors(count + 1), () => attempt(count - 1));
        else longer(3, () => vectors(1), () => few(3));
      };
      const few = (count: number): void => {
        if (count === 1) single(1);
        else longer(count - 1, () => single(count), () => few(count - 1));
      };
      attempt(5);
      f.get(target, length).i32(4).op("i32.mul", "i32.add").set(target);
    });
  });
}

function emitPackTurned(m: ModuleBuilder): void {
  m.func({ ...PACK, export: "packTurned" }, (f) => {
    const [args, batch, first, last, kFirst, kLast, target, row] = f.parameters(8);
    const [tap, dst, rest] = f.locals("i32", 3);
    const taps = f.locals("i32", 4);
    const advance = (count: number) => {
      for (const at of taps) f.get(at).i32(4 * count).op("i32.add").set(at);
      f.get(dst, row).i32(count).op("i32.mul", "i32.add").set(dst);
      f.get(rest).i32(count).op("i32.sub").set(rest);
    };
    emitRuns(f, args, batch, kFirst, kLast, (base, length) => {
      f.range(tap, first, last, 4, () => {
        taps.forEach((at, i) => {
          f.get(args, tap).i32(4).op("i32.mul", "i32.add").memory("i32.load", TABLE + 4 * i);
          f.get(base).op("i32.add").set(at);
        });
        f.get(target, tap, first).op("i32.sub").i32(4).op("i32.mul", "i32.add").set(dst);
        f.get(length).set(rest);
        f.loop((again) => {
          f.get(rest).i32(4).op("i32.ge_s").if(() => {
            const [x, y] = [f.locals("v128", 4), f.locals("v128", 4)];
            taps.forEach((at, i) => f.get(at).memory("v128.load", 0, 2).set(x[i]!));
            emitTranspose4(f, x, y);
            const out = f.local("i32");
            f.get(dst).set(out);
            y.forEach((values, i) => {
              if (i > 0) f.get(out, row).op("i32.add").set(out);
              f.get(out, values).memory("v128.store", 0, 2);
            });
            f.release(out, ...x, ...y);
            advance(4);
            f.br(again);
          });
        });
        f.loop((again) => {
          f.get(rest).i32(0).op("i32.gt_s").if(() => {
            taps.forEach((at, i) => f.get(dst, at).memory("f32.load").memory("f32.store", 4 * i));
            advance(1);
            f.br(again);
          });
        });
      });
      f.get(target, length).get(row).op("i32.mul", "i32.add").set(target);
    });
  });
}
