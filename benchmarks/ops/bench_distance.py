import weft
from benchmarks.harness import Case, bench, randn, torch

DIRECTLY = "donot_use_mm_for_euclid_dist"


@bench([{"rows": 500, "features": 64}, {"rows": 1000, "features": 3}], p=[1.0, 2.0, 3.0])
def cdist(rows, features, p):
    return Case(
        inputs=[randn(rows, features), randn(rows, features, seed=1)],
        weft=lambda x, y: weft.cdist(x, y, p, DIRECTLY),
        torch=lambda x, y: torch.cdist(x, y, p, DIRECTLY),
        bytes=4 * rows * rows, terms=features,
    )  # fmt: skip


@bench([{"rows": 500, "features": 64}], p=[1.0, 2.0])
def pdist(rows, features, p):
    return Case(
        inputs=[randn(rows, features)],
        weft=lambda x: weft.pdist(x, p),
        torch=lambda x: torch.nn.functional.pdist(x, p),
        terms=features,
    )  # fmt: skip


@bench([{"rows": 500, "features": 64}], p=[1.0, 2.0])
def cdist_backward(rows, features, p):
    def run(m):
        def step(x, y, dy):
            x.grad = y.grad = None
            m.cdist(x, y, p, DIRECTLY).backward(dy)
            return x.grad

        return step

    return Case(
        inputs=[randn(rows, features), randn(rows, features, seed=1), randn(rows, rows)],
        weft=run(weft), torch=run(torch), grad=[0, 1], terms=rows,
    )  # fmt: skip


EXPRESSIONS = {
    "bij,bjk->bik": [(16, 64, 64), (16, 64, 64)],
    "bthd,bshd->bhts": [(8, 128, 8, 64), (8, 128, 8, 64)],
    "ij,jk->ik": [(4, 4), (4, 4)],
    "ij,ij->i": [(512, 512), (512, 512)],
    "ab,bc,cd->ad": [(500, 4), (4, 500), (500, 8)],
}


@bench(equation=list(EXPRESSIONS))
def einsum(equation):
    shapes = EXPRESSIONS[equation]
    return Case(
        inputs=[randn(*shape, seed=i) for i, shape in enumerate(shapes)],
        weft=lambda *x: weft.einsum(equation, *x),
        torch=lambda *x: torch.einsum(equation, *x),
        terms=512,
    )  # fmt: skip
