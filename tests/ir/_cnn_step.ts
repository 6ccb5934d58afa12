import * as T from "../../ops/mod.ts";
import { arenaLayout, moveIntoArena } from "../../ops/arena.ts";
import { Optimizer, type RuleInput, type StatePlan, type Updated } from "../../optim/optimizer.ts";

interface S { lr: number; b1: number; b2: number; eps: number }
class Adam extends Optimizer<S> {
  override keeps(): StatePlan {
    return { arrays: { m: 0, v: 0 }, counters: { step: 0 } } as unknown as StatePlan;
  }
  override rule({ p, g, state, scalar }: RuleInput<S>): Updated {
    const step = state.step!.add(1);
    const m = state.m!.add(g.sub(state.m!).mul(0.1));
    const v = state.v!.mul(0.999).add(g.mul(g).mul(0.001));
    const c1 = step.mul(Math.log(0.9)).expm1().neg(), c2 = step.mul(Math.log(0.999)).expm1().neg();
    const lr = scalar((s) => s.lr);
    const denom = T.sqrt(v).div(T.sqrt(c2)).add(1e-8);
    return { p: p.sub(m.div(denom).mul(lr.div(c1))), state: { step, m, v } };
  }
}
await T.setDevice("reference");
const N = 64, C = [1, 32, 64, 64], H = 28;
const w = [0, 1, 2].map((i) => T.randn([C[i + 1]!, C[i]!, 3, 3]).mul(0.1).detach().setRequiresGrad(true));
const b = [0, 1, 2].map((i) => T.zeros([C[i + 1]!]).setRequiresGrad(true));
const F = 64 * 7 * 7;
const l1 = T.randn([128, F]).mul(0.01).detach().setRequiresGrad(true), lb1 = T.zeros([128]).setRequiresGrad(true);
const l2 = T.randn([10, 128]).mul(0.01).detach().setRequiresGrad(true), lb2 = T.zeros([10]).setRequiresGrad(true);
const params = [...w, ...b, l1, lb1, l2, lb2];
const opt = new Adam("Adam", params, { lr: 1e-3, b1: 0.9, b2: 0.999, eps: 1e-8 });
const step = T.compile((x: T.Tensor, y: T.Tensor) => {
  for (const p of params) p.grad = undefined;
  let h = T.relu(T.conv2d(x, w[0]!, { bias: b[0], padding: 1 }));
  h = T.relu(T.conv2d(h, w[1]!, { bias: b[1], padding: 1 }));
  h = T.maxPool2d(h, 2);
  h = T.relu(T.conv2d(h, w[2]!, { bias: b[2], padding: 1 }));
  h = T.maxPool2d(h, 2);
  h = h.reshape([N, F]);
  h = T.relu(T.linear(h, l1, lb1));
  h = T.dropout(h, { p: 0.5 });
  const logits = T.linear(h, l2, lb2);
  const loss = T.crossEntropy(logits, y);
  loss.backward();
  opt.step();
  return { loss, correct: logits.argmax(1).eq(y).sum() };
});
void arenaLayout; void moveIntoArena;
const t0=performance.now();console.log(step.describe(T.randn([N, 1, H, H]), T.randint(0, 10, [N]) ));
