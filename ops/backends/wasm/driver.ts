/**
 * The module through which threads share work, itself WebAssembly: `replay` walks a list of jobs
 * on the main thread, `work` is the life of a worker. Between the two stand a few words of shared
 * memory, the control block:
 *
 * | word | meaning |
 * |---|---|
 * | `units` | units of the present job that nobody has claimed; at most 0 between jobs |
 * | `pending` | units of the present job that are not finished |
 * | `epoch` | counts jobs, modules and orders to quit; sleeping workers wait on it |
 * | `sleepers` | workers that sleep or are about to |
 * | `job` | kernel, args, tasks, grain, units of the present job |
 * | `published` | number of modules published |
 * | `quit`, `error` | order to leave; 1 after a trap in a worker |
 * | `mayWait`, `waiting` | whether the main thread can sleep (in a page it cannot); whether it does |
 * | `slot[thread]` | units claimed and not reported; claim held while a module is loaded |
 *
 * A thread claims a unit by decrementing `units`. A positive old value is a claim, and as long as
 * the claim is not reported through `pending` the main thread cannot write the next job, so the
 * description of the job is read after claiming and never changes underfoot. A worker that wakes
 * late finds nothing to claim and does no harm: nobody waits for it.
 *
 * Measured on two cores of an EPYC (Zen 5): 0.2 µs for a job of two empty units while the worker
 * spins, about 30 µs when it sleeps, 4 ns for a job of one unit.
 *
 * @module
 */

import { KERNEL, ModuleBuilder } from "./assembler.ts";
import type { FunctionBuilder, FunctionHandle, Local } from "./assembler.ts";

/** Byte offsets in the control block; words that different threads write lie 128 bytes apart. */
export const CONTROL = {
  units: 0,
  pending: 128,
  epoch: 256,
  sleepers: 384,
  job: 512,
  published: 640,
  firstModule: 644,
  quit: 648,
  mayWait: 652,
  ready: 768,
  waiting: 832,
  error: 896,
  errorLength: 900,
  errorText: 904,
  errorCapacity: 512,
  slots: 1536,
  slotSize: 128,
} as const;

/** Offsets in a job: of a list (16 bytes each) and, with `units`, in the control block. */
export const JOB = { kernel: 0, args: 4, tasks: 8, grain: 12, size: 16, units: 16 } as const;

/**
 * Turns after which the main thread sleeps until the last unit is finished, about 2.5 ns each. A
 * unit of a large kernel takes up to 400 µs, and then waking costs more than waiting; a worker that
 * was put aside for another process does not come back before this thread leaves its processor.
 */
const WAIT_SPINS = 200_000;
/** Nanoseconds after which it looks again, whatever happened. */
const WAIT_TIME = 2_000_000;

/** Why `work` returned. */
export const REASON = { load: 1, quit: 2 } as const;

/**
 * Turns of the idle loop before a worker sleeps, about 2.5 ns each: 200 µs, more than the gaps
 * between kernels of an eager program, less than anyone notices of a processor.
 */
const SPINS = 80_000;

/**
 * Bytes of the driver.
 *
 * @param sharedMemory Whether the memory is shared.
 * @returns A module with `replay(control, list, count): trapped` and
 * `work(control, thread, modules): reason`.
 */
export function driverModule(sharedMemory: boolean): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder({ sharedMemory });
  m.importMemory();
  m.importTable();
  const unit = emitUnit(m);
  emitReplay(m, unit);
  emitWork(m, unit);
  return m.build();
}

/** `unit(control, claim, thread)`: runs the claimed unit of the present job. */
function emitUnit(m: ModuleBuilder): FunctionHandle {
  return m.func({ params: ["i32", "i32", "i32"] }, (f) => {
    const [control, claim, thread] = f.parameters(3);
    const [start, end, tasks] = f.locals("i32", 3);
    const job = (field: number) => f.get(control).memory("i32.load", CONTROL.job + field);
    job(JOB.units).get(claim).op("i32.sub");
    job(JOB.grain).op("i32.mul").set(start);
    job(JOB.grain).get(start).op("i32.add").set(end);
    job(JOB.tasks).tee(tasks).get(end, tasks, end).op("i32.lt_s", "select").set(end);
    job(JOB.args).get(start, end, thread);
    job(JOB.kernel).callIndirect(KERNEL);
  });
}

/** Claims and runs units until none is left, then reports. Adds to the slot's count of claims. */
function emitClaims(
  f: FunctionBuilder,
  unit: FunctionHandle,
  control: Local,
  slot: Local,
  thread: Local,
  claim: Local,
): void {
  f.loop((again) => {
    f.get(control).i32(1).memory("i32.atomic.rmw.sub", CONTROL.units).tee(claim);
    f.i32(0).op("i32.gt_s").if(() => {
      f.get(slot, slot).memory("i32.load").i32(1).op("i32.add").memory("i32.store");
      f.get(control, claim, thread).call(unit).br(again);
    });
  });
}

function emitReport(f: FunctionBuilder, control: Local, slot: Local): void {
  f.get(control, slot).memory("i32.load").memory("i32.atomic.rmw.sub", CONTROL.pending);
  f.get(slot).memory("i32.load").op("i32.eq").if(() => {
    // Either the main thread sees that nothing is pending, or we see that it sleeps.
    f.get(control).memory("i32.atomic.load", CONTROL.waiting).if(() => {
      f.get(control).i32(1).memory("memory.atomic.notify", CONTROL.pending).op("drop");
    });
  });
  f.get(slot).i32(0).memory("i32.store");
}

/** Until nothing of the present job is pending. */
function emitWait(f: FunctionBuilder, control: Local): void {
  const [spins, pending] = f.locals("i32", 2);
  f.i32(WAIT_SPINS).set(spins);
  f.block((done) =>
    f.loop((again) => {
      f.get(control).memory("i32.atomic.load", CONTROL.pending).tee(pending);
      f.op("i32.eqz").brIf(done);
      f.get(spins).i32(1).op("i32.sub").tee(spins).brIf(again);
      f.i32(1).set(spins).get(control).memory("i32.load", CONTROL.mayWait).op("i32.eqz");
      f.brIf(again);
      f.get(control).i32(1).memory("i32.atomic.store", CONTROL.waiting);
      f.get(control, pending).i64(WAIT_TIME).memory("memory.atomic.wait32", CONTROL.pending);
      f.op("drop").get(control).i32(0).memory("i32.atomic.store", CONTROL.waiting).br(again);
    })
  );
  f.release(spins, pending);
}

/** `replay(control, list, count)`: runs a list of jobs, each after the one before. */
function emitReplay(m: ModuleBuilder, unit: FunctionHandle): void {
  m.func({ params: ["i32", "i32", "i32"], results: ["i32"], export: "replay" }, (f) => {
    const [control, job, count] = f.parameters(3);
    const [slot, tasks, grain, claim, zero] = f.locals("i32", 5);
    f.get(control).i32(CONTROL.slots).op("i32.add").set(slot);
    f.block((end) => {
      f.loop((next) => {
        f.get(count).op("i32.eqz").brIf(end);
        f.get(job).memory("i32.load", JOB.tasks).set(tasks);
        f.get(job).memory("i32.load", JOB.grain).set(grain);
        f.get(tasks, grain).op("i32.le_s");
        f.get(control).memory("i32.atomic.load", CONTROL.ready).op("i32.eqz", "i32.or");
        f.if(() => {
          f.get(tasks).i32(0).op("i32.gt_s").if(() => {
            f.get(job).memory("i32.load", JOB.args).get(zero, tasks, zero);
            f.get(job).memory("i32.load", JOB.kernel).callIndirect(KERNEL);
          });
        }, () => {
          emitPublish(f, control, job, tasks, grain);
          emitClaims(f, unit, control, slot, zero, claim);
          emitReport(f, control, slot);
          emitWait(f, control);
          f.get(control).memory("i32.atomic.load", CONTROL.error).brIf(end);
        });
        f.get(job).i32(JOB.size).op("i32.add").set(job);
        f.get(count).i32(1).op("i32.sub").set(count).br(next);
      });
    });
    f.get(control).memory("i32.atomic.load", CONTROL.error);
  });
}

/** Describes a job in the control block, opens it for claims, wakes sleepers. */
function emitPublish(
  f: FunctionBuilder,
  control: Local,
  job: Local,
  tasks: Local,
  grain: Local,
): void {
  const units = f.local("i32");
  f.get(control).get(job).memory("v128.load", 0, 2).memory("v128.store", CONTROL.job, 2);
  f.get(tasks, grain).op("i32.add").i32(1).op("i32.sub").get(grain).op("i32.div_s").set(units);
  f.get(control, units).memory("i32.store", CONTROL.job + JOB.units);
  f.get(control, units).memory("i32.atomic.store", CONTROL.pending);
  f.get(control, units).memory("i32.atomic.store", CONTROL.units);
  f.get(control).i32(1).memory("i32.atomic.rmw.add", CONTROL.epoch).op("drop");
  // Either a worker that is falling asleep sees the new epoch, or we see it counted here.
  f.get(control).memory("i32.atomic.load", CONTROL.sleepers).if(() => {
    f.get(control).i32(-1).memory("memory.atomic.notify", CONTROL.epoch).op("drop");
  });
  f.release(units);
}

/** `work(control, thread, modules)`: claims units until there is a reason to return. */
function emitWork(m: ModuleBuilder, unit: FunctionHandle): void {
  const params = ["i32", "i32", "i32"] as const;
  m.func({ params, results: ["i32"], export: "work" }, (f) => {
    const [control, thread, modules] = f.parameters(3);
    const [slot, claim] = f.locals("i32", 2);
    f.get(control).i32(CONTROL.slots).op("i32.add");
    f.get(thread).i32(CONTROL.slotSize).op("i32.mul", "i32.add").set(slot);
    f.loop((again) => {
      // A claim held over the loading of its module comes first.
      f.get(slot).memory("i32.load", 4).tee(claim).op("i32.eqz").if(() => {
        emitIdle(f, control, modules, claim);
        f.get(slot).i32(1).memory("i32.store");
      });
      // All modules, not the job's own alone: a kernel calls functions of others by number.
      f.get(control).memory("i32.atomic.load", CONTROL.published).get(modules).op("i32.ne");
      f.if(() => {
        f.get(slot, claim).memory("i32.store", 4);
        f.i32(REASON.load).op("return");
      });
      f.get(slot).i32(0).memory("i32.store", 4);
      f.get(control, claim, thread).call(unit);
      emitClaims(f, unit, control, slot, thread, claim);
      emitReport(f, control, slot);
      f.br(again);
    });
    f.op("unreachable");
  });
}

/** Leaves a claim in `claim`, or returns from the function with a reason. */
function emitIdle(f: FunctionBuilder, control: Local, modules: Local, claim: Local): void {
  const [spins, epoch] = f.locals("i32", 2);
  f.i32(SPINS).set(spins);
  f.block((claimed) => {
    f.loop((again) => {
      f.get(control).memory("i32.atomic.load", CONTROL.epoch).set(epoch);
      f.get(control).memory("i32.atomic.load", CONTROL.units).i32(0).op("i32.gt_s").if(() => {
        f.get(control).i32(1).memory("i32.atomic.rmw.sub", CONTROL.units).tee(claim);
        f.i32(0).op("i32.gt_s").brIf(claimed);
      });
      f.get(control).memory("i32.atomic.load", CONTROL.quit).if(() =>
        f.i32(REASON.quit).op("return")
      );
      f.get(control).memory("i32.atomic.load", CONTROL.published).get(modules).op("i32.ne");
      f.if(() => f.i32(REASON.load).op("return"));
      f.get(spins).i32(1).op("i32.sub").tee(spins).brIf(again);
      f.get(control).i32(1).memory("i32.atomic.rmw.add", CONTROL.sleepers).op("drop");
      // `epoch` was read before the checks above: anything later makes this return at once.
      f.get(control, epoch).i64(-1).memory("memory.atomic.wait32", CONTROL.epoch).op("drop");
      f.get(control).i32(1).memory("i32.atomic.rmw.sub", CONTROL.sleepers).op("drop");
      f.i32(SPINS).set(spins).br(again);
    });
  });
  f.release(spins, epoch);
}
