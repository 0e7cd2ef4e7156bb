import weft
import weft.nn.functional as F
from benchmarks.harness import Case, bench, randn, torch

N = 4_000_000


@bench(fill=["uniform_", "normal_", "bernoulli_"])
def random(fill):
    return Case(
        inputs=[randn(N)],
        weft=lambda x: getattr(x, fill)(),
        torch=lambda x: getattr(x, fill)(),
        bytes=4 * N,
        verify=False,
    )


@bench(n=[10_000, N])
def randperm(n):
    return Case(weft=lambda: weft.randperm(n), torch=lambda: torch.randperm(n), bytes=8 * n, verify=False)


@bench(n=[16 * 1024, N])
def dropout(n):
    return Case(
        inputs=[randn(n)],
        weft=lambda x: F.dropout(x, 0.1),
        torch=lambda x: torch.nn.functional.dropout(x, 0.1),
        bytes=8 * n,
        verify=False,
    )


@bench()
def dropout_backward():
    def step(f, grad):
        def run(x, dy):
            return grad(f(x, 0.1), x, dy)[0]

        return run

    return Case(
        inputs=[randn(N), randn(N)],
        weft=step(F.dropout, weft.autograd.grad),
        torch=step(torch.nn.functional.dropout, torch.autograd.grad) if torch else None,
        grad=[0],
        bytes=16 * N,
        verify=False,
    )
