"""The examples of the atlas: how a user loads each framework's layer from NumPy arrays, runs it, and reads it back.

Each is the body of a function here, so that it is linted and type-checked; `source` makes the script of it. They are
written out, where the scripts of bug reports (_*_script.py) are put together for any architecture.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Read = tuple[Any, Any, Any, Any]
Example = Callable[[Array, Array, Array, Array], Read]


@cache
def source(example: Example) -> str:
    """The body of an example without its docstring and its return: a script of its own."""
    text = files("rnn_conformance.adapters").joinpath("examples.py").read_text(encoding="utf-8")
    functions = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    docstring, *_, end = functions[example.__name__].body
    body = textwrap.dedent("\n".join(text.splitlines()[docstring.end_lineno : end.lineno - 1])).strip()
    script = body.splitlines()
    for node in reversed(ast.parse(body).body):
        if isinstance(node, ast.FunctionDef):  # no longer nested, so that style wants two empty lines around it
            script.insert(node.end_lineno or node.lineno, "")
            script.insert(node.lineno - 1, "")
    return "\n".join(script) + "\n"


def torch_rnn(W: Array, U: Array, b: Array, x: Array) -> Read:
    """torch.nn.RNN."""
    import torch

    units, features = W.shape
    rnn = torch.nn.RNN(features, units, batch_first=True)

    # Load. PyTorch adds two biases: one of them is b, and the other zero.
    rnn.load_state_dict(
        {
            "weight_ih_l0": torch.tensor(W),
            "weight_hh_l0": torch.tensor(U),
            "bias_ih_l0": torch.tensor(b),
            "bias_hh_l0": torch.zeros(units),
        }
    )

    # Run.
    with torch.no_grad():
        outputs, _ = rnn(torch.tensor(x))
    outputs = outputs.numpy()

    # Read. In a layer that was trained, neither bias is zero: b is their sum.
    read = {name: tensor.numpy() for name, tensor in rnn.state_dict().items()}
    W_read, U_read = read["weight_ih_l0"], read["weight_hh_l0"]
    b_read = read["bias_ih_l0"] + read["bias_hh_l0"]
    return outputs, W_read, U_read, b_read


def keras_simple_rnn(W: Array, U: Array, b: Array, x: Array) -> Read:
    """keras.layers.SimpleRNN."""
    import os

    os.environ["KERAS_BACKEND"] = "BACKEND"  # before Keras is imported
    import keras

    units, features = W.shape
    layer = keras.layers.SimpleRNN(units, return_sequences=True)
    layer.build((None, None, features))  # a layer has no weights before it knows its features

    # Load. Keras keeps both kernels transposed.
    layer.set_weights([W.T, U.T, b])

    # Run.
    outputs = keras.ops.convert_to_numpy(layer(x))

    # Read.
    kernel, recurrent_kernel, bias = layer.get_weights()
    W_read, U_read, b_read = kernel.T, recurrent_kernel.T, bias
    return outputs, W_read, U_read, b_read


def nnx_rnn(W: Array, U: Array, b: Array, x: Array) -> Read:
    """flax.nnx.RNN."""
    import numpy as np
    from flax import nnx
    from jax import numpy as jnp

    units, features = W.shape
    cell = nnx.SimpleCell(features, units, rngs=nnx.Rngs(0))
    rnn = nnx.RNN(cell)

    # Load. Flax keeps both kernels transposed, and its one bias beside the input kernel.
    cell.dense_i.kernel[...] = jnp.array(W.T)
    cell.dense_h.kernel[...] = jnp.array(U.T)
    cell.dense_i.bias[...] = jnp.array(b)

    # Run.
    outputs = np.asarray(rnn(jnp.array(x)))

    # Read.
    W_read = np.asarray(cell.dense_i.kernel[...]).T
    U_read = np.asarray(cell.dense_h.kernel[...]).T
    b_read = np.asarray(cell.dense_i.bias[...])
    return outputs, W_read, U_read, b_read


def linen_rnn(W: Array, U: Array, b: Array, x: Array) -> Read:
    """flax.linen.RNN."""
    import jax
    import numpy as np
    from flax import linen
    from jax import numpy as jnp

    units = len(W)
    rnn = linen.RNN(linen.SimpleCell(units))
    params = rnn.init(jax.random.key(0), x)["params"]

    # Load. Flax keeps both kernels transposed, and its one bias beside the input kernel.
    params["cell"]["i"]["kernel"] = jnp.array(W.T)
    params["cell"]["h"]["kernel"] = jnp.array(U.T)
    params["cell"]["i"]["bias"] = jnp.array(b)

    # Run.
    outputs = np.asarray(rnn.apply({"params": params}, x))

    # Read.
    W_read = np.asarray(params["cell"]["i"]["kernel"]).T
    U_read = np.asarray(params["cell"]["h"]["kernel"]).T
    b_read = np.asarray(params["cell"]["i"]["bias"])
    return outputs, W_read, U_read, b_read


def lax_scan(W: Array, U: Array, b: Array, x: Array) -> Read:
    """jax.lax.scan."""
    import jax
    import numpy as np
    from jax import numpy as jnp

    def step(h: jax.Array, x_t: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = jnp.tanh(x_t @ params["W"].T + h @ params["U"].T + params["b"])
        return h, h

    # Load. The step is one's own, and so is the orientation.
    params = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b)}

    # Run. lax.scan goes along the first axis, so time comes first on the way.
    h_0 = jnp.zeros((len(x), len(W)))
    _, by_time = jax.lax.scan(step, h_0, jnp.moveaxis(x, 1, 0))
    outputs = np.asarray(jnp.moveaxis(by_time, 0, 1))

    # Read.
    W_read, U_read, b_read = (np.asarray(params[name]) for name in ("W", "U", "b"))
    return outputs, W_read, U_read, b_read


def numpy_loop(W: Array, U: Array, b: Array, x: Array) -> Read:
    """The recurrence itself."""
    import numpy as np

    # Load. A loop reads the arrays as they are.
    params = {"W": W, "U": U, "b": b}

    # Run.
    h = np.zeros((len(x), len(W)), x.dtype)
    steps = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ params["W"].T + h @ params["U"].T + params["b"])
        steps.append(h)
    outputs = np.stack(steps, axis=1)

    # Read.
    W_read, U_read, b_read = params["W"], params["U"], params["b"]
    return outputs, W_read, U_read, b_read
