"""An adversary's Flax models: each is right, and has to be read rightly or refused, never something in between."""

from __future__ import annotations

from typing import Any

import pytest
from layers import TARGETS
from odd_shapes import TOKENS, Odd, X, judge

pytestmark = [
    pytest.mark.filterwarnings("default"),  # what frameworks warn of among themselves is no error of ours
    pytest.mark.skipif("flax-nnx" not in TARGETS, reason="Flax is not installed"),
]
if "flax-nnx" in TARGETS:
    import jax
    from flax import linen, nnx
    from jax import numpy as jnp

    class Called(nnx.Module):
        """Parts, and a function that calls them."""

        def __init__(self, run: Any, **parts: Any) -> None:
            self.run = run
            for name, part in parts.items():
                setattr(self, name, nnx.data(part))

        def __call__(self, *inputs: Any) -> Any:
            return self.run(self, *inputs)

    class FromOnes(nnx.GRUCell):
        """Sequences begin at another state than zero."""

        def initialize_carry(self, *args: Any, **kwargs: Any) -> Any:
            return 1 + super().initialize_carry(*args, **kwargs)

    class Doubled(nnx.RNN):
        """It doubles what it is given."""

        def __call__(self, x: Any, **given: Any) -> Any:
            return super().__call__(2 * x, **given)

    class Loop(linen.Module):
        """A cell that a loop of one's own calls, beside a layer."""

        @linen.compact
        def __call__(self, x: Any) -> Any:
            x = linen.RNN(linen.GRUCell(4))(x)
            cell = linen.LSTMCell(3)
            carry = cell.initialize_carry(jax.random.key(0), x[:, 0].shape)
            for t in range(x.shape[1]):
                carry, y = cell(carry, x[:, t])
            return linen.Dense(2)(y)

    class Minimal(linen.Module):
        """A layer of a cell that Linen has and the specification has not, behind one that it has."""

        @linen.compact
        def __call__(self, x: Any) -> Any:
            x = linen.RNN(linen.GRUCell(4))(x)
            return linen.RNN(linen.MGUCell(3))(x)

    class Twice(linen.Module):
        """A layer that is called twice, and one within another module."""

        @linen.compact
        def __call__(self, x: Any) -> Any:
            rnn = linen.RNN(linen.OptimizedLSTMCell(4), name="twice")
            both = linen.Bidirectional(linen.RNN(linen.SimpleCell(3)), linen.RNN(linen.SimpleCell(3)))
            return both(rnn(rnn(x)))


def rngs() -> Any:
    return nnx.Rngs(0)


def shared() -> Any:
    rnn = nnx.RNN(nnx.LSTMCell(4, 4, rngs=rngs()))
    return Called(lambda self, x: self.one(self.other(x)), one=rnn, other=rnn)


def time_major() -> Any:
    rnn = nnx.RNN(nnx.GRUCell(4, 3, rngs=rngs()), time_major=True, reverse=True)
    return Called(lambda self, x: self.rnn(x.swapaxes(0, 1)), rnn=rnn)


def asked_for_in_the_call() -> Any:
    rnn = nnx.RNN(nnx.GRUCell(4, 3, rngs=rngs()))
    lengths = jnp.array([3, 7, 5])
    return Called(lambda self, x: self.rnn(x, seq_lengths=lengths, reverse=True, keep_order=True), rnn=rnn)


def loop() -> Any:
    def run(self: Any, x: Any) -> Any:
        carry = self.cell.initialize_carry(x[:, 0].shape, rngs())
        for t in range(x.shape[1]):
            carry, y = self.cell(carry, x[:, t])
        return y

    return Called(run, cell=nnx.OptimizedLSTMCell(4, 3, rngs=rngs()))


def listed() -> Any:
    def run(self: Any, tokens: Any) -> Any:
        x = self.embed(tokens)
        for rnn in self.rnns:
            x = x + rnn(x)
        return x

    rnns = nnx.List([nnx.RNN(nnx.SimpleCell(4, 4, activation_fn=nnx.relu, rngs=rngs())) for _ in range(2)])
    return Called(run, embed=nnx.Embed(20, 4, rngs=rngs()), rnns=rnns)


def of(cell: Any, **options: Any) -> Any:
    return Called(lambda self, x: self.rnn(x), rnn=nnx.RNN(cell, **options))


def compiled() -> Any:
    def run(self: Any, x: Any) -> Any:
        first = self.seen(x)
        return nnx.jit(lambda rnn, x: rnn(x))(self.unseen, first)

    one, other = (nnx.RNN(nnx.GRUCell(4, 4, rngs=rngs())) for _ in range(2))
    return Called(run, seen=one, unseen=other)


def joined_by_hand() -> Any:
    rnns = [nnx.RNN(nnx.LSTMCell(4, 3, rngs=rngs())) for _ in range(2)]
    return Called(lambda self, x: self.both(x), both=nnx.Bidirectional(*rnns, merge_fn=lambda a, b: a - b))


def in_linen(module: Any) -> Any:
    return module, module.init(jax.random.key(0), X)


ODD = {
    "shared layer": lambda: Odd(shared, {"one": 2}),
    "time first, backwards in the order of processing": lambda: Odd(time_major, {"rnn": 1}),
    "direction and lengths that the call asks for": lambda: Odd(asked_for_in_the_call, {"rnn": 1}),
    "loop of a cell": lambda: Odd(loop, {"cell": 7}),
    "list with residual connections": lambda: Odd(listed, {"rnns/0": 1, "rnns/1": 1}, inputs=TOKENS),
    "bfloat16": lambda: Odd(
        lambda: of(
            nnx.GRUCell(
                4,
                3,
                dtype=jnp.bfloat16,
                param_dtype=jnp.bfloat16,
                recurrent_kernel_init=nnx.initializers.normal(),  # there is no orthogonal one in this type
                rngs=rngs(),
            )
        ),
        {"rnn": 1},
    ),
    "float16": lambda: Odd(
        lambda: of(nnx.LSTMCell(4, 3, dtype=jnp.float16, param_dtype=jnp.float16, rngs=rngs())), {"rnn": 1}
    ),
    "activation of one's own": lambda: Odd(
        lambda: of(nnx.SimpleCell(4, 3, activation_fn=lambda x: 2 * x, rngs=rngs())), {}, ("activation_fn",)
    ),
    "begins at ones": lambda: Odd(lambda: of(FromOnes(4, 3, rngs=rngs())), {}, ("initialize_carry",)),
    "call of its own": lambda: Odd(
        lambda: Called(lambda self, x: self.rnn(x), rnn=Doubled(nnx.GRUCell(4, 3, rngs=rngs()))), {}, ("__call__",)
    ),
    "partly within what is compiled": lambda: Odd(compiled, {"seen": 1}),
    "directions joined by hand": lambda: Odd(joined_by_hand, {}, ("merge_fn",)),
    "unrolled": lambda: Odd(lambda: of(nnx.GRUCell(4, 3, rngs=rngs()), unroll=3), {"rnn": 1}),
    "Linen: a loop of a cell, beside a layer": lambda: Odd(lambda: in_linen(Loop()), {"RNN_0": 1}, ("cell",)),
    "Linen: a minimal gated unit behind a layer": lambda: Odd(lambda: in_linen(Minimal()), {"RNN_0": 1}, ("cell",)),
    "Linen: called twice, in both directions": lambda: Odd(
        lambda: in_linen(Twice()), {"twice": 2, "Bidirectional_0": 1}
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_model(name: str) -> None:
    """Sixteen of them."""
    judge(ODD[name]())


def test_mixed_precision_that_puts_out_the_wider_type() -> None:
    """A GRU of Flax that should compute in bfloat16 starts from a carry in float32, and stays there: that is said."""
    from rnn_conformance.conformance.asserting import NonConforming, assert_conforms

    with pytest.raises(NonConforming, match="dtype = float32, but should be bfloat16"):
        assert_conforms(of(nnx.GRUCell(4, 3, dtype=jnp.bfloat16, rngs=rngs())), inputs=X)
