import { assert, assertEquals } from "@std/assert";
import {
  cholesky,
  det,
  eigh,
  eye,
  gradcheck,
  gradgradcheck,
  inv,
  lstsq,
  matrixNorm,
  matrixPower,
  matrixRank,
  pinv,
  qr,
  slogdet,
  solve,
  solveTriangular,
  svd,
  type Tensor,
  tensor,
} from "../../ops/mod.ts";
import { Inputs, worst } from "./_random.ts";

const EXACT = 1e-10;

function square(shape: readonly number[] = [2, 4, 4]): Tensor {
  return new Inputs().draw(shape).detach().setRequiresGrad(true);
}

function T(x: Tensor): Tensor {
  return x.transpose(-2, -1);
}

/** Symmetric and positive definite, as a function of any matrix. */
function definite(x: Tensor): Tensor {
  const identity = eye(x.size(-1), x.size(-1), { dtype: "float64", device: "reference" });
  return x.matmul(T(x)).add(identity);
}

async function assertClose(a: Tensor, b: Tensor): Promise<void> {
  assertEquals(a.shape, b.shape);
  const error = worst(await a.data(), await b.data());
  assert(error < EXACT, `differs by ${error}`);
}

Deno.test("factors give the matrix back", async () => {
  const x = square().detach();
  const lower = cholesky(definite(x));
  await assertClose(lower.matmul(T(lower)), definite(x));
  for (const shape of [[2, 5, 3], [2, 3, 5], [4, 4]]) {
    const y = square(shape).detach();
    const { q, r } = qr(y);
    await assertClose(q.matmul(r), y);
    const { u, s, vh } = svd(y, { fullMatrices: false });
    await assertClose(u.mul(s.unsqueeze(-2)).matmul(vh), y);
    await assertClose(y.matmul(pinv(y)).matmul(y), y);
  }
  const symmetric = x.add(T(x));
  const { eigenvalues, eigenvectors } = eigh(symmetric);
  const again = eigenvectors.mul(eigenvalues.unsqueeze(-2)).matmul(T(eigenvectors));
  await assertClose(again, symmetric);
});

Deno.test("svd() with fullMatrices gives orthogonal factors, also of low rank", async () => {
  const x = square([4, 1]).detach().matmul(square([1, 3]).detach());
  const { u, vh } = svd(x);
  const identity = (n: number) => eye(n, n, { dtype: "float64", device: "reference" });
  await assertClose(T(u).matmul(u), identity(4));
  await assertClose(vh.matmul(T(vh)), identity(3));
  assertEquals(await matrixRank(x).item(), 1);
});

Deno.test("solve(), inv() and matrixPower() agree", async () => {
  const a = square().detach(), b = square([2, 4, 3]).detach();
  await assertClose(a.matmul(solve(a, b)), b);
  await assertClose(inv(a).matmul(b), solve(a, b));
  await assertClose(matrixPower(a, -2), inv(a).matmul(inv(a)));
  await assertClose(lstsq(a, b).solution, solve(a, b));
});

Deno.test("det() is that of known matrices", async () => {
  const determinant = await det(tensor([[1, 2], [3, 4]])).item();
  assert(Math.abs(determinant + 2) < 1e-5);
  assertEquals(await det(tensor([[1, 2], [2, 4]])).item(), 0);
  assertEquals(await slogdet(tensor([[0, 1], [1, 0]])).sign.item(), -1);
});

/** Functions of a matrix that do not depend on the signs of factors. */
const GRADIENTS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  inv: (x) => inv(x),
  solve: (x) => solve(x, x.square()),
  det: (x) => det(x),
  slogdet: (x) => slogdet(x).logabsdet,
  matrixPower: (x) => matrixPower(x, -2),
  cholesky: (x) => cholesky(definite(x)),
  qr: (x) => {
    const { q, r } = qr(x);
    return q.matmul(r.square());
  },
  "qr of wide matrices": (x) => qr(x.narrow(-2, 0, 3)).r.square(),
  eigh: (x) => {
    const { eigenvalues, eigenvectors } = eigh(x.add(T(x)));
    return eigenvectors.mul(eigenvalues.square().unsqueeze(-2)).matmul(T(eigenvectors));
  },
  svd: (x) => {
    const { u, s, vh } = svd(x.narrow(-1, 0, 3), { fullMatrices: false });
    return u.mul(s.square().unsqueeze(-2)).matmul(vh);
  },
  pinv: (x) => pinv(x.narrow(-1, 0, 3)),
  "pinv of wide matrices": (x) => pinv(x.narrow(-2, 0, 3)),
  lstsq: (x) => lstsq(x.narrow(-1, 0, 2), x.narrow(-1, 2, 2)).residuals,
  "nuclear norm": (x) => matrixNorm(x, { ord: "nuc" }),
};

for (const [name, f] of Object.entries(GRADIENTS)) {
  Deno.test(`${name} has the gradient of finite differences, twice`, async () => {
    const x = square([4, 4]);
    await gradcheck(f, [x]);
    await gradgradcheck(f, [x], { atol: 1e-4 });
  });
}

Deno.test("det() has its gradient where the matrix is singular", async () => {
  const options = { dtype: "float64", device: "reference", requiresGrad: true } as const;
  const x = tensor([[1, 2], [2, 4]], options);
  det(x).backward();
  await assertClose(x.grad!, tensor([[4, -2], [-2, 1]], { ...options, requiresGrad: false }));
});

Deno.test("solve() from the right", async () => {
  const a = square().detach(), b = square([2, 3, 4]).detach();
  await assertClose(solve(a, b, { left: false }).matmul(a), b);
});

Deno.test("solveTriangular() reads one triangle, like PyTorch's, and has its gradient", async () => {
  const a = tensor([[2, 1], [9, 4]]), b = tensor([[4], [8]]);
  assertEquals(await solveTriangular(a, b, { upper: true }).tolist(), [[1], [2]]);
  const unit = { upper: false, unitriangular: true };
  assertEquals(await solveTriangular(a, b, unit).tolist(), [[4], [-28]]);
  const inputs = [square(), square([2, 4, 4])];
  for (const left of [true, false]) {
    const run = (x: Tensor, y: Tensor) =>
      solveTriangular(x.square().add(1), y, { upper: true, left });
    await gradcheck((x, y) => run(x!, y!), inputs);
  }
});
