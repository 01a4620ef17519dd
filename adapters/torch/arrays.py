"""The types of what torch computes with, and NumPy's arrays as its tensors, and back, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.support import writeable
from rnn_conformance.reference.arithmetic.rounding import dtype_of

if TYPE_CHECKING:
    from torch import Tensor as Tensor  # so that other modules may take it from here

    Tensors = Sequence[Sequence[Sequence[Tensor]]]
    """A state: for each layer, for each direction, a tensor for each part."""


def tensor(array: NDArray[Any]) -> Tensor:
    """A tensor in the memory of the array, or in that of a copy where torch cannot have it.

    torch warns of memory that may only be read, and refuses negative strides.
    """
    import torch

    array = writeable(array)
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    if array.dtype == dtype_of("bfloat16"):  # not a dtype of NumPy's own: the bits travel as whole numbers
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def array(tensor: Tensor) -> NDArray[Any]:
    """An array in the memory of the tensor."""
    import torch

    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(dtype_of("bfloat16"))
    return tensor.numpy()
