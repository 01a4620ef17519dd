"""An adversary's torch models: each is right, and has to be read rightly or refused, never something in between."""

from __future__ import annotations

from typing import Any

import pytest
from odd_shapes import TOKENS, Odd, X, judge

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours


class Called(nn.Module):  # type: ignore[misc,name-defined]
    """Parts, and a function that calls them."""

    def __init__(self, run: Any, **parts: Any) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs: Any) -> Any:
        return self.run(self, *inputs)


class Renamed(nn.LSTM):  # type: ignore[misc,name-defined]
    """A subclass that changes how it begins, and nothing else."""

    def reset_parameters(self) -> None:
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.4)


class Doubled(nn.GRU):  # type: ignore[misc,name-defined]
    """It doubles what it is given before torch sees it."""

    def __call__(self, x: Any, hx: Any = None) -> Any:
        return super().__call__(2 * x, hx)


class LSTMWithScale(nn.Module):  # type: ignore[misc,name-defined]
    """A wrapper of one's own, with a parameter of its own, which is called like a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.LSTM(4, 3, batch_first=True)
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x: Any) -> Any:
        return self.scale * self.inner(x)[0]


def shared() -> Any:
    lstm = nn.LSTM(4, 4, batch_first=True)
    return Called(lambda self, x: self.one(self.other(x)[0])[0], one=lstm, other=lstm)


def tied() -> Any:
    one, other = nn.GRU(4, 4, batch_first=True), nn.GRU(4, 4, batch_first=True)
    other.weight_hh_l0 = one.weight_hh_l0
    return Called(lambda self, x: self.other(self.one(x)[0])[0], one=one, other=other)


def packed() -> Any:
    def run(self: Any, x: Any) -> Any:
        lengths = torch.tensor([2, 7, 4])
        given = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.rnn(given)[0], batch_first=True)[0]

    return Called(run, rnn=nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True))


def encoder_and_decoder() -> Any:
    def run(self: Any, x: Any) -> Any:
        _, state = self.encoder(x)
        return self.decoder(input=x.flip(1), hx=state)[0]

    return Called(run, encoder=nn.LSTM(4, 3, batch_first=True), decoder=nn.LSTM(4, 3, batch_first=True))


def loop() -> Any:
    def run(self: Any, x: Any) -> Any:
        state = None
        for step in x.unbind(1):
            state = self.cell(step, state)
        return state[0]

    return Called(run, cell=nn.LSTMCell(4, 3))


def frozen() -> Any:
    model = Called(lambda self, x: self.rnn(x)[0], rnn=nn.RNN(4, 3, nonlinearity="relu", batch_first=True, bias=False))
    return model.requires_grad_(False)


def parametrised() -> Any:
    rnn = nn.GRU(4, 3, batch_first=True)
    nn.utils.parametrizations.spectral_norm(rnn, "weight_hh_l0")
    nn.utils.parametrizations.weight_norm(rnn, "weight_ih_l0")
    return Called(lambda self, x: self.rnn(x)[0], rnn=rnn).eval()


def pruned() -> Any:
    from torch.nn.utils import prune

    rnn = nn.GRU(4, 3, batch_first=True)
    prune.l1_unstructured(rnn, "weight_hh_l0", amount=0.5)
    return Called(lambda self, x: self.rnn(x)[0], rnn=rnn)


def of_type(dtype: Any) -> Any:
    return Called(lambda self, x: self.rnn(x.to(dtype))[0], rnn=nn.LSTM(4, 3, batch_first=True).to(dtype))


def quantised() -> Any:
    model = Called(lambda self, x: self.rnn(x)[0], rnn=nn.LSTM(4, 3, batch_first=True))
    return torch.ao.quantization.quantize_dynamic(model, {nn.LSTM}, dtype=torch.qint8)


def by_hand() -> Any:
    rnn = nn.RNN(4, 3, batch_first=True)
    plain = rnn.forward
    rnn.forward = lambda x, hx=None: plain(-x, hx)
    return Called(lambda self, x: self.rnn(x)[0], rnn=rnn)


def hooked() -> Any:
    rnn = nn.RNN(4, 3, batch_first=True)
    rnn.register_forward_pre_hook(lambda module, given: (2 * given[0],))
    return Called(lambda self, x: self.rnn(x)[0], rnn=rnn)


def in_parts() -> Any:
    def run(self: Any, x: Any) -> Any:
        first, state = self.rnn(x[:, :3])
        return torch.cat([first, self.rnn(x[:, 3:], state)[0]], 1)

    return Called(run, rnn=nn.GRU(4, 3, batch_first=True))


def one_sequence() -> Any:
    return Called(lambda self, x: self.rnn(x[0])[0], rnn=nn.LSTM(4, 3, proj_size=2, num_layers=2))


def listed() -> Any:
    def run(self: Any, tokens: Any) -> Any:
        x = self.embed(tokens)
        for layer in self.layers:
            x = x + layer(x)[0]
        return x

    layers = nn.ModuleList(nn.GRU(4, 4, batch_first=True) for _ in range(2))
    return Called(run, embed=nn.Embedding(20, 4), layers=layers)


def scripted() -> Any:
    return torch.jit.script(nn.Sequential(nn.LSTM(4, 3, batch_first=True)))


def sequential() -> Any:
    return nn.Sequential(nn.Linear(4, 4), Renamed(4, 3, batch_first=True))


ODD = {
    "shared layer under two names": Odd(shared, {"one": 2}),
    "two layers of which one array is tied": Odd(tied, {"one": 1, "other": 1}),
    "packed, in both directions, a stack": Odd(packed, {"rnn[0]": 1, "rnn[1]": 1}),
    "state handed on by keyword": Odd(encoder_and_decoder, {"encoder": 1, "decoder": 1}),
    "loop of a cell": Odd(loop, {"cell": 7}),
    "frozen, relu, no bias": Odd(frozen, {"rnn": 1}),
    "two parametrisations": Odd(parametrised, {"rnn": 1}),
    "pruned by a hook": Odd(pruned, {}, ("forward hooks",)),
    "bfloat16": Odd(lambda: of_type(torch.bfloat16), {"rnn": 1}),
    "float16": Odd(lambda: of_type(torch.float16), {"rnn": 1}),
    "float64": Odd(lambda: of_type(torch.float64), {"rnn": 1}),
    "quantised": Odd(quantised, {}, ("class",)),
    "forward by hand": Odd(by_hand, {}, ("forward",)),
    "call of its own": Odd(lambda: nn.Sequential(Doubled(4, 3)), {}, ("__call__",)),
    "hooked": Odd(hooked, {}, ("forward hooks",)),
    "sequence in two parts": Odd(in_parts, {"rnn": 2}),
    "projection, a sequence without a batch": Odd(one_sequence, {"rnn[0]": 1, "rnn[1]": 1}),
    "list with residual connections": Odd(listed, {"layers.0": 1, "layers.1": 1}, inputs=TOKENS),
    "scripted": Odd(scripted, {}, ("class",)),
    "subclass that begins otherwise": Odd(sequential, {"1": 1}),
    "wrapper with a parameter": Odd(LSTMWithScale, {"inner": 1}, ("class",)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_model(name: str) -> None:
    """Twenty-one of them."""
    torch.manual_seed(0)
    judge(ODD[name])


def test_autocast_is_not_taken_for_the_layer() -> None:
    """It computes in another type than that which the layer was read with, and that shows."""
    from rnn_conformance.conformance.asserting import NonConforming, assert_conforms

    def run(self: Any, x: Any) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.rnn(x)[0]

    model = Called(run, rnn=nn.GRU(4, 3, batch_first=True))
    with pytest.raises(NonConforming, match=r"times the bound|dtype = bfloat16"):
        assert_conforms(model, inputs=X)
